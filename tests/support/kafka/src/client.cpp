#include "client.hpp"

#include <outbox/support/environment.hpp>

#include <array>
#include <stdexcept>

namespace outbox::support {

Client make_client(rd_kafka_type_t type, const std::map<std::string, std::string>& settings) {
    std::array<char, 512> reason{};
    auto* conf = rd_kafka_conf_new();
    std::map<std::string, std::string> all{{"bootstrap.servers", required_variable("KAFKA_BROKERS")},
                                           {"log_level", "2"}};
    all.insert(settings.begin(), settings.end());
    for (const auto& [name, value] : all) {
        if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason.data(), reason.size()) !=
            RD_KAFKA_CONF_OK) {
            rd_kafka_conf_destroy(conf);
            throw std::runtime_error(reason.data());
        }
    }
    auto* handle = rd_kafka_new(type, conf, reason.data(), reason.size());
    if (handle == nullptr) {
        rd_kafka_conf_destroy(conf);
        throw std::runtime_error(reason.data());
    }
    return Client(handle);
}

void check(rd_kafka_resp_err_t code, const std::string& what) {
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
        throw std::runtime_error(what + ": " + rd_kafka_err2str(code));
    }
}

Reply reply(rd_kafka_queue_t* queue, const std::string& what) {
    Reply event(rd_kafka_queue_poll(queue, patience_ms));
    if (!event) {
        throw std::runtime_error(what + ": no answer");
    }
    check(rd_kafka_event_error(event.get()), what);
    return event;
}

Metadata metadata_of_all(rd_kafka_t* handle) {
    const struct rd_kafka_metadata* metadata = nullptr;
    check(rd_kafka_metadata(handle, 1, nullptr, &metadata, patience_ms), "metadata");
    return Metadata(metadata);
}

const rd_kafka_metadata_topic* find_topic(const rd_kafka_metadata_t& metadata, const std::string& name) {
    for (int i = 0; i < metadata.topic_cnt; ++i) {
        if (name == metadata.topics[i].topic) {
            return &metadata.topics[i];
        }
    }
    return nullptr;
}

int partitions_of(rd_kafka_t* handle, const std::string& name) {
    const auto metadata = metadata_of_all(handle);
    const auto* found = find_topic(*metadata, name);
    return found == nullptr ? 0 : found->partition_cnt;
}

} // namespace outbox::support
