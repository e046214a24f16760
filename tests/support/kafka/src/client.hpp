#pragma once

#include <outbox/core/handle.hpp>

#include <librdkafka/rdkafka.h>

#include <map>
#include <string>

/// What the tests' own use of Kafka has in common: handles, and errors that are exceptions.
namespace outbox::support {

using Client = Handle<rd_kafka_t, rd_kafka_destroy>;
using Queue = Handle<rd_kafka_queue_t, rd_kafka_queue_destroy>;
using Record = Handle<rd_kafka_message_t, rd_kafka_message_destroy>;
using Reply = Handle<rd_kafka_event_t, rd_kafka_event_destroy>;
using Metadata = Handle<const rd_kafka_metadata_t, rd_kafka_metadata_destroy>;

inline constexpr int patience_ms = 30'000;

/// A client of the cluster of KAFKA_BROKERS. @throws std::runtime_error
Client make_client(rd_kafka_type_t type, const std::map<std::string, std::string>& settings = {});
/// @throws std::runtime_error that names what was asked
void check(rd_kafka_resp_err_t code, const std::string& what);
/// The answer to what was asked through the queue. @throws std::runtime_error, also without one
Reply reply(rd_kafka_queue_t* queue, const std::string& what);
Metadata metadata_of_all(rd_kafka_t* handle);
/// @return null where there is no such topic
const rd_kafka_metadata_topic* find_topic(const rd_kafka_metadata_t& metadata, const std::string& name);
/// 0: there is no such topic.
int partitions_of(rd_kafka_t* handle, const std::string& name);

} // namespace outbox::support
