// One connection, step by step, so that what does not work has a name: TLS, the login, or what comes after
// it. librdkafka tries all of that by itself, again and again, and says no more than that no broker is
// reached.

#include "outbox/kafka/probe.hpp"

#include "outbox/kafka/error.hpp"
#include "wire/connector.hpp"
#include "wire/versions.hpp"
#include "wire/wire.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <array>
#include <tuple>

namespace outbox::kafka {
namespace {

constexpr Api init_producer_id{22, 1, false};

/// A request, or a version of it, and the release that brought it.
struct Sign {
    Api api;
    const char* release;
};

/// The newest first.
constexpr std::array signs{
    Sign{{88, 0, true}, "4.1"},  Sign{{75, 0, true}, "3.8"},  Sign{{71, 0, true}, "3.7"},
    Sign{{65, 0, true}, "3.0"},  Sign{{60, 0, true}, "2.8"},  Sign{{48, 0, false}, "2.6"},
    Sign{{47, 0, false}, "2.4"}, Sign{{44, 0, false}, "2.3"}, Sign{{36, 0, false}, "1.0"}};

/// Without the login, which is a step of its own.
ClientOptions without_login(ClientOptions options) {
    auto& protocol = options.security["security.protocol"];
    protocol = protocol.ends_with("SSL") ? "SSL" : "PLAINTEXT";
    for (const char* name : {"sasl.mechanism", "sasl.mechanisms", "sasl.username", "sasl.password"}) {
        options.security.erase(name);
        options.secret_files.erase(name);
    }
    return options;
}

} // namespace

std::string release_of(std::string_view answer) {
    for (const Sign& sign : signs) {
        if (knows(answer, sign.api)) {
            return sign.release;
        }
    }
    return "0.10";
}

Probe::Probe(const ClientOptions& options)
    : options_(options),
      connector_(std::make_shared<const Connector>(options)) {}

bool Probe::able() const noexcept {
    return connector_->able();
}

Greeting Probe::greet(const Address& broker, Deadline deadline) const {
    Greeting greeting;
    try {
        greeting.failed = Greeting::Step::tls;
        std::ignore = Connector(without_login(options_)).open(broker, deadline);
        greeting.failed = Greeting::Step::login;
        auto connection = connector_->open(broker, deadline);
        greeting.failed = Greeting::Step::ask;
        greeting.release = release_of(connection.ask(api_versions, "", deadline));
        greeting.failed = Greeting::Step::done;
    } catch (const KafkaError& error) {
        // In TLS 1.3 the broker refuses a client's certificate with its first answer.
        if (error.code() == RD_KAFKA_RESP_ERR__SSL) {
            greeting.failed = Greeting::Step::tls;
        }
        greeting.why = error.what();
    } catch (const wire::Malformed& error) {
        greeting.why = error.what();
    }
    return greeting;
}

bool Probe::may_transact(const Address& broker, const std::string& transactional_id,
                         Deadline deadline) const {
    constexpr std::int32_t never_allowed_ms = 0;
    wire::Encoder body;
    body.string(transactional_id);
    body.int32(never_allowed_ms);
    auto connection = connector_->open(broker, deadline);
    const std::string answer = connection.ask(init_producer_id, body.bytes(), deadline);
    try {
        wire::Decoder in(answer);
        in.int32(); // throttle time
        const int code = in.int16();
        if (code != RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT &&
            code != RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED) {
            throw KafkaError(code, "rights to transactional id " + transactional_id);
        }
        return code == RD_KAFKA_RESP_ERR_INVALID_TRANSACTION_TIMEOUT;
    } catch (const wire::Malformed& error) {
        throw KafkaError(bad_answer, error.what());
    }
}

} // namespace outbox::kafka
