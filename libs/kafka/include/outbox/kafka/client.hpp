#pragma once

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

/// How to reach the cluster.
struct ClientOptions {
    std::string brokers;   ///< host:port, comma separated
    std::string client_id; ///< shown in the brokers' logs
};

using Properties = std::map<std::string, std::string>;

/// Ends a client: drops what it still holds, waits for its threads.
void destroy_client(rd_kafka_s* client) noexcept;

using Client = Handle<rd_kafka_s, destroy_client>;
using Topic = Handle<rd_kafka_topic_s, rd_kafka_topic_destroy>;

} // namespace outbox::kafka
