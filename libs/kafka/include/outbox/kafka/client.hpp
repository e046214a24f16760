#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/core/handle.hpp>

#include <map>
#include <string>

// librdkafka's own declarations stay in the .cpp files.
struct rd_kafka_s;
struct rd_kafka_conf_s;
struct rd_kafka_topic_s;
extern "C" {
void rd_kafka_topic_destroy(rd_kafka_topic_s*);
}

namespace outbox::kafka {

/// Properties of librdkafka by name.
using Properties = std::map<std::string, std::string>;

/// How to reach the cluster.
struct ClientOptions {
    std::string brokers;          ///< host:port, comma separated
    std::string client_id;        ///< shown in the brokers' logs
    Properties security = {};     ///< librdkafka's, for every client
    Properties secret_files = {}; ///< property of `security` -> file that each new client reads it from again
    Properties producer = {};     ///< librdkafka's, for producers only
};

/// `security`, with the secrets that its files hold now.
Properties security_now(const ClientOptions& options);

/// How often a client asks for news about its topics, new partitions among them.
inline constexpr auto metadata_interval_property = "topic.metadata.refresh.interval.ms";
inline constexpr milliseconds default_metadata_interval{30'000};
/// What holds under these options.
milliseconds metadata_interval(const ClientOptions& options);

/// Whether producers compress what they send, under these options.
bool compresses(const ClientOptions& options);

/// Ends a client: drops what it still holds, waits for its threads.
void destroy_client(rd_kafka_s* client) noexcept;

/// A librdkafka client of any kind.
using Client = Handle<rd_kafka_s, destroy_client>;
/// A client's handle of one topic.
using Topic = Handle<rd_kafka_topic_s, rd_kafka_topic_destroy>;

} // namespace outbox::kafka
