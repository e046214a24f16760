#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/kafka/admin.hpp>
#include <outbox/kafka/client.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace outbox::kafka {

class Connector;

/// How far a connection to a broker came.
struct Greeting {
    enum class Step {
        tls,   ///< TLS was not agreed on, or nothing was said to it
        login, ///< the broker does not take this client's name and password
        ask,   ///< it does not answer a question that every broker answers
        done
    };
    Step failed = Step::done; ///< where it ended
    std::string why;          ///< empty when it is done
    std::string release;      ///< the oldest Kafka that it can be, "3.0"
};

/// The oldest Kafka whose brokers answer so about the requests that they know: "3.0"; "0.10" when they name
/// none that tells more. @throws wire::Malformed
std::string release_of(std::string_view api_versions_answer);

/// Tries what a client will need, one thing at a time, over connections of its own. Changes nothing.
/// Thread-safe.
class Probe {
public:
    /// @throws KafkaError _SSL: a file of certificates or keys cannot be used
    explicit Probe(const ClientOptions& options);

    /// Whether connections of our own speak the way that the cluster is secured.
    [[nodiscard]] bool able() const noexcept;

    [[nodiscard]] Greeting greet(const Address& broker, Deadline deadline) const;

    /// Whether this client may have transactions under an id. Asked with a time limit that no transaction may
    /// have, which brokers refuse after they have looked at the rights and before they do anything.
    /// @throws KafkaError
    [[nodiscard]] bool may_transact(const Address& broker, const std::string& transactional_id,
                                    Deadline deadline) const;

private:
    ClientOptions options_;
    std::shared_ptr<const Connector> connector_; ///< with the login
};

} // namespace outbox::kafka
