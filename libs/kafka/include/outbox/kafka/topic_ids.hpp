#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/core/uuid.hpp>
#include <outbox/kafka/admin.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::kafka {

class Connector;
class BrokerConnection;

/// What one broker says about a topic.
struct TopicIdentity {
    int error = 0; ///< Kafka's code
    Uuid id;       ///< nil: it has no such topic, or topics have no ids here
    std::set<std::int32_t> leaders;
};

/// What one broker answered: whom there is to ask, and what it says about each topic.
struct IdentityAnswer {
    std::map<std::int32_t, Address> brokers;
    std::map<std::string, TopicIdentity> topics;
};

/// Reads the body of an answer to Metadata, version 10. @throws wire::Malformed
IdentityAnswer read_identities(std::string_view answer);

/// By topic the ids under which the brokers that lead its partitions know it; nil: one of them knows no such
/// topic. Missing: this client may not ask about it, or topics have no ids here.
using Identities = std::map<std::string, std::set<Uuid>>;

/// Asks brokers for the ids of topics (Kafka 2.8 and later): a topic that is deleted and made again has
/// another one. A broker hears of that before its log is gone, and others may hear it later; so those are
/// asked that lead the topic's partitions. Over connections of its own, which librdkafka's are not. Not
/// thread-safe.
class TopicIds {
public:
    /// @throws KafkaError _SSL: a file of certificates or keys cannot be used
    TopicIds(const Admin& admin, const ClientOptions& options);
    TopicIds(const TopicIds&) = delete;
    TopicIds& operator=(const TopicIds&) = delete;
    ~TopicIds();

    /// @param names  that topics may have
    /// @throws KafkaError; _UNSUPPORTED_FEATURE: brokers know no ids, or these connections do not speak what
    /// the options ask for
    [[nodiscard]] Identities ask(const std::vector<std::string>& names, Deadline deadline);

private:
    struct Broker;

    void begin(Deadline deadline);
    std::unique_ptr<BrokerConnection> open(const Address& address, Deadline deadline) const;
    std::optional<IdentityAnswer> ask(std::int32_t broker, const std::string& question, Deadline deadline);
    [[nodiscard]] std::set<std::int32_t> leaders_of(const std::vector<std::string>& names) const;

    const Admin& admin_;
    std::shared_ptr<const Connector> connector_;
    std::map<std::int32_t, Broker> brokers_;
    std::map<std::string, std::set<std::int32_t>> leaders_; ///< when last heard of
};

} // namespace outbox::kafka
