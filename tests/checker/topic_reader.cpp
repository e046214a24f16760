#include "topic_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

namespace checker {
namespace {

using Clock = std::chrono::steady_clock;

void set(rd_kafka_conf_t* conf, const char* name, const char* value) {
    std::array<char, 256> reason{};
    if (rd_kafka_conf_set(conf, name, value, reason.data(), reason.size()) != RD_KAFKA_CONF_OK) {
        throw std::runtime_error(reason.data());
    }
}

void check(rd_kafka_resp_err_t code, const std::string& doing) {
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        throw std::runtime_error(fmt::format("{}: {}", doing, rd_kafka_err2str(code)));
    }
}

/// A new partition's leader needs a moment until it answers.
rd_kafka_resp_err_t ask_for_ends(rd_kafka_t* handle, const std::string& topic, std::int32_t partition,
                                 std::int64_t& low, std::int64_t& high, std::chrono::milliseconds patience) {
    const auto deadline = Clock::now() + patience;
    while (true) {
        const auto code = rd_kafka_query_watermark_offsets(handle, topic.c_str(), partition, &low, &high,
                                                           static_cast<int>(patience.count()));
        const bool leaderless = code == RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION ||
                                code == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE;
        if (!leaderless || Clock::now() >= deadline) {
            return code;
        }
        rd_kafka_poll(handle, 50);
    }
}

std::optional<std::string_view> header(const rd_kafka_headers_t* headers, const char* name) {
    const void* value = nullptr;
    std::size_t size = 0;
    if (headers == nullptr ||
        rd_kafka_header_get_last(headers, name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return std::nullopt;
    }
    return std::string_view(static_cast<const char*>(value), size);
}

std::optional<std::string_view> bytes(const void* data, std::size_t size) {
    return data == nullptr ? std::nullopt
                           : std::optional(std::string_view(static_cast<const char*>(data), size));
}

Record record_of(const rd_kafka_message_t& message, const std::string& topic) {
    rd_kafka_headers_t* headers = nullptr;
    if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        headers = nullptr;
    }
    return {.topic = topic,
            .partition = message.partition,
            .offset = message.offset,
            .id = header(headers, "ce_id"),
            .key = bytes(message.key, message.key_len),
            .value = bytes(message.payload, message.len),
            .type = header(headers, "ce_type")};
}

template <auto Destroy>
struct Deleter {
    template <class T>
    void operator()(T* object) const noexcept {
        Destroy(object);
    }
};
using Message = std::unique_ptr<rd_kafka_message_t, Deleter<rd_kafka_message_destroy>>;
using Queue = std::unique_ptr<rd_kafka_queue_t, Deleter<rd_kafka_queue_destroy>>;

std::vector<Message> next_messages(rd_kafka_queue_t* queue) {
    std::array<rd_kafka_message_t*, 1000> batch{};
    const auto count = rd_kafka_consume_batch_queue(queue, 100, batch.data(), batch.size());
    if (count <= 0) {
        return {};
    }
    std::vector<Message> messages;
    messages.reserve(static_cast<std::size_t>(count));
    for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
        messages.emplace_back(batch[i]);
    }
    return messages;
}

} // namespace

TopicReader::TopicReader(std::string brokers, std::chrono::milliseconds patience)
    : brokers_(std::move(brokers)),
      patience_(patience) {}

TopicReader::Consumer TopicReader::consumer(const char* isolation) const {
    auto* conf = rd_kafka_conf_new();
    set(conf, "bootstrap.servers", brokers_.c_str());
    set(conf, "isolation.level", isolation);
    set(conf, "group.id", "outbox-check"); // asked for by assign(); no group is ever joined
    set(conf, "enable.auto.commit", "false");
    set(conf, "enable.auto.offset.store", "false");
    set(conf, "enable.partition.eof", "true");
    set(conf, "auto.offset.reset", "error");
    set(conf, "allow.auto.create.topics", "false");
    set(conf, "fetch.wait.max.ms", "50");
    set(conf, "queued.max.messages.kbytes", "32768");
    set(conf, "queued.min.messages",
        "10000000"); // a full queue stops librdkafka for a whole second: bytes are limit enough
    set(conf, "log_level", "3");
    std::array<char, 256> reason{};
    auto* handle = rd_kafka_new(RD_KAFKA_CONSUMER, conf, reason.data(), reason.size());
    if (handle == nullptr) {
        rd_kafka_conf_destroy(conf);
        throw std::runtime_error(reason.data());
    }
    rd_kafka_poll_set_consumer(handle);
    return Consumer(handle);
}

std::map<std::string, std::int32_t> TopicReader::partitions(const std::vector<std::string>& topics) {
    const auto handle = consumer("read_uncommitted");
    const struct rd_kafka_metadata* metadata = nullptr;
    check(rd_kafka_metadata(handle.get(), 1, nullptr, &metadata, static_cast<int>(patience_.count())),
          "cannot ask Kafka for its topics");
    std::map<std::string, std::int32_t> counts;
    for (int i = 0; i < metadata->topic_cnt; ++i) {
        const auto& topic = metadata->topics[i];
        if (std::find(topics.begin(), topics.end(), topic.topic) != topics.end()) {
            counts[topic.topic] = topic.partition_cnt;
        }
    }
    rd_kafka_metadata_destroy(metadata);
    return counts;
}

/// Asked with read_uncommitted: a read_committed handle answers the last stable offset instead of the true
/// end.
std::map<TopicReader::Place, TopicReader::Goal>
TopicReader::goals(const std::map<std::string, std::int32_t>& topics) const {
    const auto handle = consumer("read_uncommitted");
    std::map<Place, Goal> goals;
    for (const auto& [topic, count] : topics) {
        for (std::int32_t partition = 0; partition < count; ++partition) {
            Goal goal;
            check(ask_for_ends(handle.get(), topic, partition, goal.low, goal.high, patience_),
                  fmt::format("cannot ask for the end of {}[{}]", topic, partition));
            if (goal.high > goal.low) {
                goals[{topic, partition}] = goal;
            }
        }
    }
    return goals;
}

void TopicReader::assign(rd_kafka_t* handle, const std::map<Place, Goal>& goals) const {
    auto* list = rd_kafka_topic_partition_list_new(static_cast<int>(goals.size()));
    for (const auto& [place, goal] : goals) {
        rd_kafka_topic_partition_list_add(list, place.first.c_str(), place.second)->offset = goal.low;
    }
    const auto code = rd_kafka_assign(handle, list);
    rd_kafka_topic_partition_list_destroy(list);
    check(code, "cannot assign partitions");
}

void TopicReader::read(const std::map<std::string, std::int32_t>& topics,
                       const std::function<void(const Record&)>& take) {
    auto open = goals(topics);
    if (open.empty()) {
        return;
    }
    const auto handle = consumer("read_committed");
    assign(handle.get(), open);
    read_to(handle.get(), open, take);
}

void TopicReader::read_to(rd_kafka_t* handle, std::map<Place, Goal>& open,
                          const std::function<void(const Record&)>& take) {
    const Queue queue(rd_kafka_queue_get_consumer(handle));
    const auto until = Clock::now() + patience_;
    while (!open.empty()) {
        if (Clock::now() >= until) {
            const auto& [place, goal] = *open.begin();
            throw std::runtime_error(
                fmt::format("{}[{}] could not be read up to offset {} in time: is a transaction "
                            "still open there?",
                            place.first, place.second, goal.high));
        }
        for (const auto& message : next_messages(queue.get())) {
            accept(*message, open, take);
        }
    }
}

/// A partition is read when a record at or past its goal came, or its end was reported there: the last
/// offsets may be markers or aborted records, which nobody sees.
void TopicReader::accept(const rd_kafka_message_t& message, std::map<Place, Goal>& open,
                         const std::function<void(const Record&)>& take) {
    const bool is_record = message.err == RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!is_record && message.err != RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        return; // brokers come and go; the deadline decides
    }
    const auto place = open.find({rd_kafka_topic_name(message.rkt), message.partition});
    if (place == open.end()) {
        return;
    }
    const auto goal = place->second.high;
    if (is_record && message.offset < goal) {
        take(record_of(message, place->first.first));
    }
    const auto next = is_record ? message.offset + 1 : message.offset;
    if (next >= goal) {
        open.erase(place);
    }
}

} // namespace checker
