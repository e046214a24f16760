#pragma once

#include "outbox/kafka/client.hpp"
#include "wire/broker_connection.hpp"
#include "wire/sasl.hpp"
#include "wire/tls.hpp"

#include <optional>

namespace outbox::kafka {

/// How connections of our own are secured.
struct Security {
    std::optional<TlsOptions> tls;
    std::optional<Sasl> sasl;
};

/// What librdkafka's properties ask for; nullopt: something that these connections do not speak.
std::optional<Security> security_for(const Properties& properties);

/// Opens connections to brokers, secured as librdkafka's are. Thread-safe.
class Connector {
public:
    /// @throws KafkaError _SSL: a file of certificates or keys cannot be used
    explicit Connector(const ClientOptions& options);

    [[nodiscard]] bool able() const noexcept { return security_.has_value(); }

    /// @throws KafkaError _TRANSPORT, _TIMED_OUT, _SSL; _UNSUPPORTED_FEATURE where it is not able()
    [[nodiscard]] BrokerConnection open(const Address& broker, Deadline deadline) const;

private:
    ClientOptions options_;
    std::optional<Security> security_;
    std::optional<TlsContext> tls_;
};

} // namespace outbox::kafka
