#include "consumer.hpp"

#include <librdkafka/rdkafka.h>

#include <array>
#include <stdexcept>
#include <thread>

namespace bench {
namespace {

using Message = outbox::Handle<rd_kafka_message_t, rd_kafka_message_destroy>;

rd_kafka_t* make(const std::string& brokers) {
    constexpr std::array<std::pair<const char*, const char*>, 5> settings{
        {{"isolation.level", "read_committed"},
         {"group.id", "outbox-bench"},
         {"enable.auto.commit", "false"},
         {"allow.auto.create.topics", "false"},
         {"log_level", "3"}}};
    std::array<char, 256> why{};
    rd_kafka_conf_t* configuration = rd_kafka_conf_new();
    bool fits = rd_kafka_conf_set(configuration, "bootstrap.servers", brokers.c_str(), why.data(),
                                  why.size()) == RD_KAFKA_CONF_OK;
    for (const auto& [name, value] : settings) {
        fits =
            fits && rd_kafka_conf_set(configuration, name, value, why.data(), why.size()) == RD_KAFKA_CONF_OK;
    }
    rd_kafka_t* handle = // takes the configuration over
        fits ? rd_kafka_new(RD_KAFKA_CONSUMER, configuration, why.data(), why.size()) : nullptr;
    if (handle == nullptr) {
        throw std::runtime_error(why.data());
    }
    rd_kafka_poll_set_consumer(handle);
    return handle;
}

/// @return how many partitions the topic has; 0 while there is none.
int partitions_of(rd_kafka_t* handle, const std::string& topic) {
    const outbox::Handle<rd_kafka_topic_t, rd_kafka_topic_destroy> name(
        rd_kafka_topic_new(handle, topic.c_str(), nullptr));
    const rd_kafka_metadata_t* metadata = nullptr;
    if (rd_kafka_metadata(handle, 0, name.get(), &metadata, 5'000) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        return 0;
    }
    const int count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
    rd_kafka_metadata_destroy(metadata);
    return count;
}

} // namespace

Consumer::Consumer(const std::string& brokers, const std::string& topic, outbox::Deadline deadline)
    : handle_(make(brokers)) {
    int partitions = 0;
    while ((partitions = partitions_of(handle_.get(), topic)) == 0) {
        if (deadline.passed()) {
            throw std::runtime_error("nobody has made the topic " + topic + ": does a relay run?");
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    const outbox::Handle<rd_kafka_topic_partition_list_t, rd_kafka_topic_partition_list_destroy> all(
        rd_kafka_topic_partition_list_new(partitions));
    for (int partition = 0; partition < partitions; ++partition) {
        rd_kafka_topic_partition_list_add(all.get(), topic.c_str(), partition)->offset =
            RD_KAFKA_OFFSET_BEGINNING;
    }
    rd_kafka_assign(handle_.get(), all.get());
}

void Consumer::poll(const std::function<void(std::string_view id)>& take) {
    const Message message(rd_kafka_consumer_poll(handle_.get(), 100));
    rd_kafka_headers_t* headers = nullptr;
    const void* id = nullptr;
    std::size_t size = 0;
    if (message && message->err == RD_KAFKA_RESP_ERR_NO_ERROR &&
        rd_kafka_message_headers(message.get(), &headers) == RD_KAFKA_RESP_ERR_NO_ERROR &&
        (rd_kafka_header_get_last(headers, "ce_id", &id, &size) == RD_KAFKA_RESP_ERR_NO_ERROR ||
         rd_kafka_header_get_last(headers, "id", &id, &size) == RD_KAFKA_RESP_ERR_NO_ERROR)) { // Debezium's
        take({static_cast<const char*>(id), size});
    }
}

} // namespace bench
