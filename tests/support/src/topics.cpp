#include <outbox/core/handle.hpp>
#include <outbox/support/environment.hpp>
#include <outbox/support/topics.hpp>

#include <librdkafka/rdkafka.h>

#include <array>
#include <stdexcept>

namespace outbox::support {
namespace {

using Client = Handle<rd_kafka_t, rd_kafka_destroy>;
using Queue = Handle<rd_kafka_queue_t, rd_kafka_queue_destroy>;
using Event = Handle<rd_kafka_event_t, rd_kafka_event_destroy>;
using Metadata = Handle<const rd_kafka_metadata_t, rd_kafka_metadata_destroy>;
using Unwanted = Handle<rd_kafka_DeleteTopic_t, rd_kafka_DeleteTopic_destroy>;

constexpr int patience_ms = 30'000;

Client connect() {
    std::array<char, 512> reason{};
    Handle<rd_kafka_conf_t, rd_kafka_conf_destroy> conf(rd_kafka_conf_new());
    const std::string brokers = required_variable("KAFKA_BROKERS");
    rd_kafka_conf_set(conf.get(), "bootstrap.servers", brokers.c_str(), reason.data(), reason.size());
    Client client(rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), reason.data(), reason.size()));
    if (!client) {
        throw std::runtime_error(reason.data());
    }
    static_cast<void>(conf.release()); // rd_kafka_new took it over
    return client;
}

/// A topic that does not exist is no error.
void check(rd_kafka_resp_err_t code, const std::string& what) {
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
        throw std::runtime_error(what + ": " + rd_kafka_err2str(code));
    }
}

} // namespace

void delete_topics(const std::vector<std::string>& names) {
    std::vector<Unwanted> unwanted;
    std::vector<rd_kafka_DeleteTopic_t*> pointers;
    pointers.reserve(names.size());
    for (const auto& name : names) {
        pointers.push_back(unwanted.emplace_back(rd_kafka_DeleteTopic_new(name.c_str())).get());
    }
    const Client client = connect();
    const Queue queue(rd_kafka_queue_new(client.get()));
    rd_kafka_DeleteTopics(client.get(), pointers.data(), pointers.size(), nullptr, queue.get());
    const Event answer(rd_kafka_queue_poll(queue.get(), patience_ms));
    check(answer ? rd_kafka_event_error(answer.get()) : RD_KAFKA_RESP_ERR__TIMED_OUT, "delete topics");
    std::size_t count = 0;
    const auto* const* results =
        rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(answer.get()), &count);
    for (std::size_t i = 0; i < count; ++i) {
        check(rd_kafka_topic_result_error(results[i]), "delete topics");
    }
}

TopicShape shape_of(const std::string& topic) {
    const Client client = connect();
    const struct rd_kafka_metadata* raw = nullptr;
    check(rd_kafka_metadata(client.get(), 1, nullptr, &raw, patience_ms), "metadata");
    const Metadata metadata(raw);
    for (int i = 0; i < metadata->topic_cnt; ++i) {
        const rd_kafka_metadata_topic_t& found = metadata->topics[i];
        if (topic == found.topic && found.partition_cnt > 0) {
            return {found.partition_cnt, found.partitions[0].replica_cnt};
        }
    }
    return {};
}

} // namespace outbox::support
