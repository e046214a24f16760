#include "outbox/support/topic_reader.hpp"

#include "client.hpp"

#include <outbox/core/deadline.hpp>
#include <outbox/support/wait.hpp>

#include <set>
#include <stdexcept>
#include <string_view>

namespace outbox::support {
namespace {

using namespace std::chrono_literals;

Message message_of(const rd_kafka_message_t& record) {
    Message message;
    message.key.assign(static_cast<const char*>(record.key), record.key_len);
    message.tombstone = record.payload == nullptr;
    if (!message.tombstone) {
        message.value.assign(static_cast<const char*>(record.payload), record.len);
    }
    message.partition = record.partition;
    message.offset = record.offset;
    message.timestamp_ms = rd_kafka_message_timestamp(&record, nullptr);
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(&record, &headers) == RD_KAFKA_RESP_ERR_NO_ERROR) {
        const char* name = nullptr;
        const void* value = nullptr;
        std::size_t size = 0;
        for (std::size_t i = 0;
             rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR; ++i) {
            message.headers[name].assign(static_cast<const char*>(value), size);
        }
    }
    return message;
}

Client committed_reader() {
    Client consumer = make_client(RD_KAFKA_CONSUMER, {{"group.id", "relay-test"},
                                                      {"isolation.level", "read_committed"},
                                                      {"enable.partition.eof", "true"},
                                                      {"enable.auto.commit", "false"},
                                                      {"auto.offset.reset", "earliest"}});
    rd_kafka_poll_set_consumer(consumer.get());
    return consumer;
}

std::string_view key_of(const rd_kafka_message_t& record) {
    return {static_cast<const char*>(record.key), record.key_len};
}

/// @param end  the partition after the last one
void assign_from_beginning(rd_kafka_t* consumer, const std::string& topic, int first, int end) {
    auto* list = rd_kafka_topic_partition_list_new(end - first);
    for (int partition = first; partition < end; ++partition) {
        rd_kafka_topic_partition_list_add(list, topic.c_str(), partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    const auto assigned = rd_kafka_assign(consumer, list);
    rd_kafka_topic_partition_list_destroy(list);
    check(assigned, "assign " + topic);
}

/// By partition; none where there is no such topic.
std::vector<std::int64_t> high_watermarks(const std::string& name) {
    const Client handle = make_client(RD_KAFKA_CONSUMER, {{"isolation.level", "read_uncommitted"}});
    std::vector<std::int64_t> ends(static_cast<std::size_t>(partitions_of(handle.get(), name)));
    for (std::size_t i = 0; i < ends.size(); ++i) {
        auto code = RD_KAFKA_RESP_ERR_NO_ERROR;
        wait_until([&] { // a new partition's leader may not know yet that it leads
            std::int64_t low = 0;
            code = rd_kafka_query_watermark_offsets(handle.get(), name.c_str(), static_cast<std::int32_t>(i),
                                                    &low, &ends[i], patience_ms);
            return code == RD_KAFKA_RESP_ERR_NO_ERROR;
        });
        check(code, "high watermark of " + name);
    }
    return ends;
}

/// Every committed record up to a last stable offset that is `ends` or later, by partition.
std::vector<Message> read_beyond(const std::vector<std::int64_t>& ends, const std::string& name) {
    const Client consumer = committed_reader();
    assign_from_beginning(consumer.get(), name, 0, static_cast<int>(ends.size()));
    std::set<std::int32_t> open;
    for (std::size_t i = 0; i < ends.size(); ++i) {
        open.insert(static_cast<std::int32_t>(i));
    }
    std::vector<Message> messages;
    const Deadline deadline = Deadline::in(30s);
    while (!open.empty()) {
        if (deadline.passed()) {
            throw std::runtime_error("topic " + name + " could not be read to its end");
        }
        const Record record(rd_kafka_consumer_poll(consumer.get(), 100));
        if (record && record->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            if (record->offset >= ends.at(static_cast<std::size_t>(record->partition))) {
                open.erase(record->partition);
            }
        } else if (record && record->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            messages.push_back(message_of(*record));
        }
    }
    return messages;
}

} // namespace

std::int64_t first_offset_of(const std::string& name, std::int32_t partition) {
    const Client consumer = committed_reader();
    assign_from_beginning(consumer.get(), name, partition, partition + 1);
    const Deadline deadline = Deadline::in(30s);
    while (!deadline.passed()) {
        const Record record(rd_kafka_consumer_poll(consumer.get(), 100));
        if (record && record->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            break;
        }
        // A control topic's first record says whose the name is, and stays.
        if (record && record->err == RD_KAFKA_RESP_ERR_NO_ERROR && !key_of(*record).starts_with("outbox ")) {
            return record->offset;
        }
    }
    return -1;
}

std::vector<Message> read_topic(const std::string& name) {
    return read_beyond(high_watermarks(name), name);
}

std::vector<Message> read_visible(const std::string& name) {
    const Client handle = make_client(RD_KAFKA_CONSUMER, {});
    return read_beyond(std::vector<std::int64_t>(static_cast<std::size_t>(partitions_of(handle.get(), name))),
                       name);
}

} // namespace outbox::support
