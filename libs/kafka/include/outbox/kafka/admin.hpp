#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/kafka/client.hpp>
#include <outbox/kafka/error.hpp>

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace outbox::kafka {

/// What the broker accepts in a topic.
struct TopicLimits {
    std::int64_t max_message_bytes = 1'048'588; ///< of a record batch
    std::int64_t timestamp_before_max_ms =
        std::numeric_limits<std::int64_t>::max();    ///< how old a record may be
    std::int64_t timestamp_after_max_ms = 3'600'000; ///< how far in the future
    /// How old a record may be before the broker deletes it. Of a topic that deletes nothing by age, and of
    /// one whose broker stamps what it takes: for ever.
    std::int64_t kept_ms = std::numeric_limits<std::int64_t>::max();
};

/// A topic's partitions, as brokers see them now.
struct TopicState {
    std::vector<std::int32_t> leaders; ///< by partition; -1: none at the moment

    [[nodiscard]] std::int32_t partitions() const noexcept {
        return static_cast<std::int32_t>(leaders.size());
    }
    /// Whether every partition has a leader.
    [[nodiscard]] bool led() const noexcept;
};

/// Where a broker listens.
struct Address {
    std::string host;
    int port = 0;
};

/// A topic to be made.
struct NewTopic {
    std::string name;
    std::int32_t partitions = 1;
    std::int32_t replication = -1; ///< -1: the broker's default
    Properties config;
};

/// Questions about the cluster, and topics made by hand. Never makes a topic by asking. Thread-safe.
class Admin {
public:
    explicit Admin(const ClientOptions& options);

    /// @throws KafkaError when no broker answers in time.
    [[nodiscard]] std::string cluster_id(Deadline deadline) const;

    /// The brokers that are alive, by id; at least one. @throws KafkaError
    [[nodiscard]] std::map<std::int32_t, Address> brokers(Deadline deadline) const;

    /// @return nullopt when the topic does not exist. @throws KafkaError, blame topic: not authorised,
    /// invalid name.
    [[nodiscard]] std::optional<TopicState> topic(const std::string& name, Deadline deadline) const;

    /// A topic's configuration as it is in force. @throws KafkaError
    [[nodiscard]] Properties topic_config(const std::string& name, Deadline deadline) const;

    /// The same of several topics; those whose configuration this client may not see, or that are gone, are
    /// missing.
    /// @throws KafkaError
    [[nodiscard]] std::map<std::string, Properties> topic_configs(const std::vector<std::string>& names,
                                                                  Deadline deadline) const;

    /// Makes the topic and waits until every partition has a leader. One that exists already is left as it
    /// is.
    /// @throws KafkaError
    void create_topic(const NewTopic& topic, Deadline deadline) const;

    /// Has the brokers look whether they would make the topic, and make nothing. @throws KafkaError with
    /// their reason
    void would_create(const NewTopic& topic, Deadline deadline) const;

    /// A broker's own configuration as it is in force. @throws KafkaError
    [[nodiscard]] Properties broker_config(std::int32_t broker, Deadline deadline) const;

    /// Raises the topic's partitions to `total`, and waits until each has a leader. More stay.
    /// @throws KafkaError
    void add_partitions(const std::string& topic, std::int32_t total, Deadline deadline) const;

    /// First offset and high watermark (not the last stable offset) of a partition. @throws KafkaError
    [[nodiscard]] std::pair<std::int64_t, std::int64_t>
    watermarks(const std::string& topic, std::int32_t partition, Deadline deadline) const;

private:
    [[nodiscard]] Properties config_of(int kind, const std::string& name, const std::string& what,
                                       Deadline deadline) const;
    void request_topic(const NewTopic& topic, bool only_look, Deadline deadline) const;
    void wait_for_leaders(const std::string& name, std::int32_t partitions, Deadline deadline) const;

    void take_up_password() const;

    ClientOptions options_;
    Client client_;
    std::string brokers_; ///< as configured
};

/// Reads the limits out of a topic's configuration; what is missing keeps Kafka's default.
TopicLimits limits_from(const Properties& config);

/// Kafka's rule: 1 to 249 of [a-zA-Z0-9._-], not "." and not "..".
bool is_topic_name(std::string_view name) noexcept;

/// Kafka keeps its own state there: nobody else may write to it, nor make it.
bool is_internal_topic(std::string_view name) noexcept;

} // namespace outbox::kafka
