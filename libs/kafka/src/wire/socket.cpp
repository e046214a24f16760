// A plain TCP connection whose every wait ends at the caller's deadline. The name is resolved by
// getaddrinfo, which alone may block for as long as the resolver takes.

#include "wire/socket.hpp"

#include "outbox/kafka/error.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace outbox::kafka {
namespace {

using Addresses = Handle<addrinfo, freeaddrinfo>;

constexpr std::size_t most_at_once = 16 << 10;

} // namespace

Socket::Socket(const Address& broker, Deadline deadline)
    : name_(fmt::format("{}:{}", broker.host, broker.port)) {
    try {
        connect(broker, deadline);
    } catch (...) {
        close(socket_);
        throw;
    }
}

Socket::~Socket() {
    close(socket_);
}

void Socket::fail(int code, const std::string& what) const {
    throw KafkaError(code, fmt::format("broker {}: {}", name_, what));
}

void Socket::fail_by(int system_error) const {
    fail(RD_KAFKA_RESP_ERR__TRANSPORT, std::generic_category().message(system_error));
}

void Socket::connect(const Address& broker, Deadline deadline) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* raw = nullptr;
    const int unresolved =
        getaddrinfo(broker.host.c_str(), std::to_string(broker.port).c_str(), &hints, &raw);
    if (unresolved != 0) {
        fail(RD_KAFKA_RESP_ERR__TRANSPORT, gai_strerror(unresolved));
    }
    const Addresses addresses(raw);
    int refused = 0;
    // A host may have several addresses, of which some lead nowhere; the first that answers is
    // taken.
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
    fail_by(refused);
}

void Socket::await(short events, Deadline deadline) const {
    pollfd entry{socket_, events, 0};
    while (true) {
        const int ready = poll(&entry, 1, static_cast<int>(deadline.left().count()));
        if (ready > 0) {
            return;
        }
        if (ready == 0) {
            fail(RD_KAFKA_RESP_ERR__TIMED_OUT, "does not answer");
        }
        if (errno != EINTR) {
            fail_by(errno);
        }
    }
}

void Socket::send(std::string_view bytes, Deadline deadline) const {
    while (!bytes.empty()) {
        await(POLLOUT, deadline);
        const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent > 0) {
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        } else if (errno != EAGAIN && errno != EINTR) {
            fail_by(errno);
        }
    }
}

std::string Socket::receive(Deadline deadline) const {
    std::string bytes(most_at_once, '\0');
    while (true) {
        await(POLLIN, deadline);
        const auto got = recv(socket_, bytes.data(), bytes.size(), 0);
        if (got > 0) {
            bytes.resize(static_cast<std::size_t>(got));
            return bytes;
        }
        if (got == 0) {
            fail(RD_KAFKA_RESP_ERR__TRANSPORT, "closed the connection");
        }
        if (errno != EAGAIN && errno != EINTR) {
            fail_by(errno);
        }
    }
}

} // namespace outbox::kafka
