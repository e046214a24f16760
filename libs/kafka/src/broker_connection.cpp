#include "broker_connection.hpp"

#include "outbox/kafka/error.hpp"
#include "wire.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace outbox::kafka {
namespace {

using Addresses = Handle<addrinfo, freeaddrinfo>;

constexpr std::int32_t largest_answer = 64 << 20;

} // namespace

BrokerConnection::BrokerConnection(const Address& broker, Deadline deadline)
    : name_(fmt::format("{}:{}", broker.host, broker.port)) {
    try {
        connect(broker, deadline);
    } catch (...) {
        close(socket_);
        throw;
    }
}

BrokerConnection::~BrokerConnection() {
    close(socket_);
}

void BrokerConnection::fail(const std::string& what) const {
    throw KafkaError(RD_KAFKA_RESP_ERR__TRANSPORT, fmt::format("broker {}: {}", name_, what));
}

void BrokerConnection::connect(const Address& broker, Deadline deadline) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* raw = nullptr;
    const int unresolved =
        getaddrinfo(broker.host.c_str(), std::to_string(broker.port).c_str(), &hints, &raw);
    if (unresolved != 0) {
        fail(gai_strerror(unresolved));
    }
    const Addresses addresses(raw);
    int refused = 0;
    for (const addrinfo* address = raw; address != nullptr; address = address->ai_next) {
        close(socket_);
        socket_ = socket(address->ai_family, address->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        refused = ::connect(socket_, address->ai_addr, address->ai_addrlen) == 0 ? 0 : errno;
        if (refused == EINPROGRESS) {
            await(POLLOUT, deadline);
            socklen_t size = sizeof(refused);
            getsockopt(socket_, SOL_SOCKET, SO_ERROR, &refused, &size);
        }
        if (refused == 0) {
            return;
        }
    }
    fail(std::generic_category().message(refused));
}

void BrokerConnection::await(short events, Deadline deadline) const {
    pollfd entry{socket_, events, 0};
    while (true) {
        const int ready = poll(&entry, 1, static_cast<int>(deadline.left().count()));
        if (ready > 0) {
            return;
        }
        if (ready == 0) {
            throw KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT, fmt::format("broker {} does not answer", name_));
        }
        if (errno != EINTR) {
            fail(std::generic_category().message(errno));
        }
    }
}

void BrokerConnection::send(std::string_view bytes, Deadline deadline) const {
    while (!bytes.empty()) {
        await(POLLOUT, deadline);
        const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent > 0) {
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        } else if (errno != EAGAIN && errno != EINTR) {
            fail(std::generic_category().message(errno));
        }
    }
}

std::string BrokerConnection::receive(std::size_t size, Deadline deadline) const {
    std::string bytes(size, '\0');
    for (std::size_t have = 0; have < size;) {
        await(POLLIN, deadline);
        const auto got = recv(socket_, bytes.data() + have, size - have, 0);
        if (got > 0) {
            have += static_cast<std::size_t>(got);
        } else if (got == 0) {
            fail("closed the connection");
        } else if (errno != EAGAIN && errno != EINTR) {
            fail(std::generic_category().message(errno));
        }
    }
    return bytes;
}

std::string BrokerConnection::ask(const Api& api, std::string_view body, Deadline deadline) {
    wire::Encoder header;
    header.int16(api.key);
    header.int16(api.version);
    header.int32(++correlation_);
    header.string("outbox");
    if (api.flexible) {
        header.no_tags();
    }
    wire::Encoder length;
    length.int32(static_cast<std::int32_t>(header.bytes().size() + body.size()));
    send(length.bytes() + header.bytes() + std::string(body), deadline);

    const auto size = wire::Decoder(receive(sizeof(std::int32_t), deadline)).int32();
    const std::int32_t header_size = api.flexible ? 5 : 4;
    if (size < header_size || size > largest_answer) {
        throw KafkaError(RD_KAFKA_RESP_ERR__BAD_MSG,
                         fmt::format("broker {}: an answer of {} bytes", name_, size));
    }
    std::string answer = receive(static_cast<std::size_t>(size), deadline);
    if (wire::Decoder(answer).int32() != correlation_) {
        throw KafkaError(RD_KAFKA_RESP_ERR__BAD_MSG,
                         fmt::format("broker {}: an answer to another request", name_));
    }
    return answer.substr(static_cast<std::size_t>(header_size));
}

} // namespace outbox::kafka
