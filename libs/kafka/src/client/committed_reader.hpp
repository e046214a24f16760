#pragma once

#include "client/configuration.hpp"
#include "outbox/kafka/lane.hpp"

#include <librdkafka/rdkafka.h>

#include <vector>

namespace outbox::kafka {

/// A message, which its views live as long as.
using MessageHandle = Handle<rd_kafka_message_t, rd_kafka_message_destroy>;
using PartitionList = Handle<rd_kafka_topic_partition_list_t, rd_kafka_topic_partition_list_destroy>;

/// A consumer of committed records whose partitions are assigned by hand; it joins no group and tells the end
/// of a partition.
Client committed_reader(const ClientOptions& options);

/// In the order in which they were written; views of the message.
std::vector<Header> headers_of(const rd_kafka_message_t& message);

/// Only these end a read; the others librdkafka retries by itself.
bool ends_read(int code);

} // namespace outbox::kafka
