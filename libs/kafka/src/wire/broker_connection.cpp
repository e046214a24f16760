// One request and its answer over one connection: bytes over a socket, inside TLS where that is asked
// for, after a SASL login where one is needed. The correlation id is checked, because after an answer
// that came too late every later one would be taken for the answer to the wrong question.

#include "wire/broker_connection.hpp"

#include "outbox/kafka/error.hpp"
#include "wire/wire.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

namespace outbox::kafka {
namespace {

constexpr std::int32_t largest_answer = 64 << 20;

/// What goes wrong beneath, as an error of this broker.
template <class Do>
auto naming(const Socket& socket, Do work) {
    try {
        return work();
    } catch (const TlsError& error) {
        socket.fail(RD_KAFKA_RESP_ERR__SSL, error.what());
    } catch (const wire::Malformed& error) {
        socket.fail(RD_KAFKA_RESP_ERR__BAD_MSG, error.what());
    }
}

} // namespace

BrokerConnection::BrokerConnection(const Address& broker, const TlsContext* tls, const Sasl* sasl,
                                   Deadline deadline)
    : socket_(broker, deadline) {
    naming(socket_, [&] {
        if (tls != nullptr) {
            tls_.emplace(*tls, broker.host);
            shake_hands(deadline);
        }
        if (sasl != nullptr) {
            log_in(*sasl, deadline);
        }
    });
}

/// Lets TLS and the broker talk until both are content. @throws KafkaError _SSL, _TRANSPORT, _TIMED_OUT
void BrokerConnection::shake_hands(Deadline deadline) {
    while (true) {
        const bool done = tls_->handshake();
        socket_.send(tls_->take(), deadline);
        if (done) {
            return;
        }
        tls_->put(socket_.receive(deadline));
    }
}

/// A refusal may pass, as when a password is being changed; librdkafka, which has the same one, tries again
/// as well.
void BrokerConnection::log_in(const Sasl& sasl, Deadline deadline) {
    try {
        authenticate(sasl,
                     [&](const Api& api, std::string_view body) { return converse(api, body, deadline); });
    } catch (const SaslError& error) {
        socket_.fail(RD_KAFKA_RESP_ERR__TRANSPORT, error.what());
    }
}

void BrokerConnection::send(std::string_view bytes, Deadline deadline) {
    if (tls_) {
        tls_->write(bytes);
        socket_.send(tls_->take(), deadline);
    } else {
        socket_.send(bytes, deadline);
    }
}

std::string BrokerConnection::receive_some(Deadline deadline) {
    if (!tls_) {
        return socket_.receive(deadline);
    }
    std::string text = tls_->read(); // the last of the handshake may have brought more
    while (text.empty()) {
        tls_->put(socket_.receive(deadline));
        text = tls_->read();
    }
    return text;
}

/// Exactly so many bytes; what comes beyond them waits for the next call.
std::string BrokerConnection::receive(std::size_t size, Deadline deadline) {
    while (received_.size() < size) {
        received_ += receive_some(deadline);
    }
    std::string bytes = received_.substr(0, size);
    received_.erase(0, size);
    return bytes;
}

std::string BrokerConnection::ask(const Api& api, std::string_view body, Deadline deadline) {
    return naming(socket_, [&] { return converse(api, body, deadline); });
}

/// Header, body, and the answer without its header. The length comes first in both directions.
std::string BrokerConnection::converse(const Api& api, std::string_view body, Deadline deadline) {
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
    // A size that no answer has: another protocol speaks there, or the stream is out of step.
    if (size < header_size || size > largest_answer) {
        socket_.fail(RD_KAFKA_RESP_ERR__BAD_MSG, fmt::format("an answer of {} bytes", size));
    }
    std::string answer = receive(static_cast<std::size_t>(size), deadline);
    if (wire::Decoder(answer).int32() != correlation_) {
        socket_.fail(RD_KAFKA_RESP_ERR__BAD_MSG, "an answer to another request");
    }
    return answer.substr(static_cast<std::size_t>(header_size));
}

} // namespace outbox::kafka
