#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/kafka/admin.hpp>

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace outbox::kafka {

class Connector;
class BrokerConnection;

/// How many replicas a partition has, and how many of them are up to date.
struct Replicas {
    std::int32_t all = 0;
    std::int32_t in_sync = 0;
};

/// What brokers say about a topic when they are asked without sending anything there.
struct TopicFacts {
    int error = 0;                     ///< Kafka's code: missing, not to be seen, no name of a topic
    std::vector<std::int32_t> leaders; ///< by partition; -1: none at the moment
    std::vector<Replicas> replicas;    ///< by partition; empty: not said
    std::optional<bool> may_write;     ///< nullopt: not said
    std::optional<bool> may_read;      ///< nullopt: not said
    std::optional<Properties> config;  ///< nullopt: this client may not ask for it, or there is no topic

    [[nodiscard]] std::int32_t partitions() const noexcept {
        return static_cast<std::int32_t>(leaders.size());
    }
    /// Whether every partition has a leader.
    [[nodiscard]] bool led() const noexcept;
};

/// Reads the body of an answer to Metadata, version 8. @throws wire::Malformed
std::map<std::string, TopicFacts> read_topic_facts(std::string_view answer);

/// Asks about many topics with two requests, and costs no producer anything. What is allowed there and how
/// many replicas are in sync librdkafka 2.0.2 does not ask for: a connection of its own does. Where a broker
/// or a connection does not speak that (Kafka before 2.3, SASL that is not PLAIN or SCRAM), librdkafka's
/// metadata stand in, without these two. Never makes a topic by asking. Thread-safe: one question at a time.
class TopicSurvey {
public:
    /// @throws KafkaError _SSL: a file of certificates or keys cannot be used
    TopicSurvey(const Admin& admin, const ClientOptions& options);
    TopicSurvey(const TopicSurvey&) = delete;
    TopicSurvey& operator=(const TopicSurvey&) = delete;
    ~TopicSurvey();

    /// @param names  names that topics may have, see is_topic_name()
    /// @return facts of each. @throws KafkaError when the cluster cannot answer
    [[nodiscard]] std::map<std::string, TopicFacts> ask(const std::vector<std::string>& names,
                                                        Deadline deadline);

private:
    std::map<std::string, TopicFacts> ask_either(const std::vector<std::string>& names, Deadline deadline);
    std::map<std::string, TopicFacts> ask_broker(const std::vector<std::string>& names, Deadline deadline);
    std::map<std::string, TopicFacts> ask_client(const std::vector<std::string>& names, Deadline deadline);
    void connect(Deadline deadline);

    const Admin& admin_;
    std::shared_ptr<const Connector> connector_;
    std::timed_mutex asking_;
    std::unique_ptr<BrokerConnection> broker_; ///< kept from one question to the next
    SteadyClock::time_point silent_until_{};   ///< one did not understand the question
};

} // namespace outbox::kafka
