// Reads the end of a control partition, which is how a recovery learns what became of the last batches.
// The high watermark is taken first, by a handle that open transactions do not hold back, and the
// read_committed reader must get past it: reading "to the end" would stop at the last stable offset,
// before the newest manifest, and its events would be sent again.

#include "outbox/kafka/control_reader.hpp"

#include "client/committed_reader.hpp"
#include "client/troubles.hpp"
#include "outbox/kafka/error.hpp"

#include <outbox/faults/faults.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace outbox::kafka {

Client committed_reader(const ClientOptions& options) {
    Client reader =
        make_client(RD_KAFKA_CONSUMER,
                    make_configuration(options, {{"group.id", "outbox-control"}, // asked for, never joined
                                                 {"isolation.level", "read_committed"},
                                                 {"enable.auto.commit", "false"},
                                                 {"enable.partition.eof", "true"},
                                                 {"auto.offset.reset", "error"},
                                                 {"allow.auto.create.topics", "false"},
                                                 {"fetch.wait.max.ms", "20"},
                                                 {"fetch.error.backoff.ms", "50"},
                                                 {"queued.max.messages.kbytes", "4096"}}));
    rd_kafka_poll_set_consumer(reader.get());
    return reader;
}

std::vector<Header> headers_of(const rd_kafka_message_t& message) {
    std::vector<Header> found;
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return found;
    }
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    while (rd_kafka_header_get_all(headers, found.size(), &name, &value, &size) ==
           RD_KAFKA_RESP_ERR_NO_ERROR) {
        found.push_back({name, {static_cast<const char*>(value), size}});
    }
    return found;
}

bool ends_read(int code) {
    return code == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE || code == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET ||
           blame_for(code) != Blame::nobody;
}

namespace {

constexpr milliseconds slice{100};

/// Puts the reader at the offset of one partition. @throws KafkaError
void assign(rd_kafka_t* reader, const std::string& topic, std::int32_t partition, std::int64_t offset) {
    const PartitionList list(rd_kafka_topic_partition_list_new(1));
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset = offset;
    if (const auto error = rd_kafka_assign(reader, list.get()); error != RD_KAFKA_RESP_ERR_NO_ERROR) {
        throw KafkaError(error, fmt::format("assign {} [{}]", topic, partition));
    }
}

/// A record's value, copied.
std::string bytes_of(const rd_kafka_message_t& message) {
    return {static_cast<const char*>(message.payload), message.len};
}

/// The headers by name.
std::map<std::string, std::string> texts_of(const std::vector<Header>& headers) {
    std::map<std::string, std::string> texts;
    for (const Header& header : headers) {
        texts[std::string(header.name)] = header.value;
    }
    return texts;
}

} // namespace

ControlTail read_control(const ClientOptions& options, const Admin& admin, const std::string& topic,
                         std::int32_t partition, std::int64_t from, Deadline deadline,
                         const std::function<bool()>& go_on, std::size_t most) {
    ControlTail tail;
    std::tie(tail.first_offset, tail.high_watermark) = admin.watermarks(topic, partition, deadline);
    std::int64_t position = std::max(from, tail.first_offset);
    if (position >= tail.high_watermark) {
        return tail;
    }
    const Client reader = committed_reader(options);
    assign(reader.get(), topic, partition, position);
    bool answered = false;
    while (position < tail.high_watermark && tail.records.size() < most) {
        // An open transaction in front of the watermark holds the end back; the error names
        // that case by its own code.
        if (deadline.passed()) {
            throw error_of(
                reader.get(), answered ? RD_KAFKA_RESP_ERR__TIMED_OUT_QUEUE : RD_KAFKA_RESP_ERR__TIMED_OUT,
                fmt::format("control topic {} [{}]: {} offset {} of {}", topic, partition,
                            answered ? "an open transaction (see docs/operations.md) holds its end back at"
                                     : "could not be read beyond",
                            position, tail.high_watermark));
        }
        if (!go_on()) {
            throw Error(Action::retry, "control topic: given up, the relay is stopping");
        }
        const MessageHandle message(rd_kafka_consumer_poll(reader.get(), static_cast<int>(slice.count())));
        if (!message) {
            continue;
        }
        if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
            answered = true;
            position = message->offset + 1;
            tail.records.push_back({message->offset,
                                    bytes_of(*message),
                                    {static_cast<const char*>(message->key), message->key_len},
                                    rd_kafka_message_timestamp(message.get(), nullptr),
                                    texts_of(headers_of(*message))});
        } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
            answered = true; // at the last stable offset; it may still move
            position = std::max(position, message->offset);
            if (!faults::cure("high-watermark")) {
                return tail;
            }
        } else if (ends_read(message->err)) {
            throw KafkaError(message->err, fmt::format("control topic {} [{}]", topic, partition));
        }
    }
    return tail;
}

} // namespace outbox::kafka
