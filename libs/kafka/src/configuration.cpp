#include "configuration.hpp"

#include "outbox/kafka/error.hpp"

#include <outbox/telemetry/log.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <stdexcept>

namespace outbox::kafka {
namespace {

void forward_log(const rd_kafka_t*, int level, const char* facility, const char* message) {
    constexpr int error_level = 3; // syslog's
    if (level <= error_level) {
        log::debug("librdkafka", {{"facility", facility}, {"text", message}});
    }
}

/// Brokers that are away show in what fails for it. That they refuse this client would not: the client keeps
/// trying, and what fails says only that no broker answered.
void forward_refusal(rd_kafka_t*, int code, const char* reason, void*) {
    constexpr std::int64_t pause_s = 10;
    static std::atomic<std::int64_t> next_s{0};
    if (code != RD_KAFKA_RESP_ERR__AUTHENTICATION && code != RD_KAFKA_RESP_ERR__SSL) {
        return;
    }
    const auto now_s =
        std::chrono::duration_cast<std::chrono::seconds>(SteadyClock::now().time_since_epoch()).count();
    auto due_s = next_s.load();
    if (now_s >= due_s && next_s.compare_exchange_strong(due_s, now_s + pause_s)) {
        log::warn("no secure connection to Kafka", {{"reason", reason}});
    }
}

} // namespace

milliseconds metadata_interval(const ClientOptions& options) {
    const auto found = options.producer.find(metadata_interval_property);
    const milliseconds wished(found == options.producer.end() ? 0 : std::stoll(found->second));
    return wished > milliseconds(0) ? wished : default_metadata_interval;
}

void destroy_client(rd_kafka_s* client) noexcept {
    if (rd_kafka_type(client) == RD_KAFKA_PRODUCER) {
        rd_kafka_purge(client,
                       RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    }
    rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

Configuration make_configuration(const ClientOptions& options, const Properties& properties) {
    Configuration configuration(rd_kafka_conf_new());
    Properties all{{"bootstrap.servers", options.brokers}, {"client.id", options.client_id},
                   {"socket.timeout.ms", "5000"},          {"socket.nagle.disable", "true"},
                   {"socket.keepalive.enable", "true"},    {"reconnect.backoff.ms", "50"},
                   {"reconnect.backoff.max.ms", "250"},    {"log.connection.close", "false"}};
    for (const auto& more : {options.security, properties}) {
        for (const auto& [name, value] : more) {
            all[name] = value;
        }
    }
    std::array<char, 256> why{};
    for (const auto& [name, value] : all) {
        if (rd_kafka_conf_set(configuration.get(), name.c_str(), value.c_str(), why.data(), why.size()) !=
            RD_KAFKA_CONF_OK) {
            throw std::logic_error(why.data());
        }
    }
    rd_kafka_conf_set_log_cb(configuration.get(), forward_log);
    rd_kafka_conf_set_error_cb(configuration.get(), forward_refusal);
    return configuration;
}

Client make_client(rd_kafka_type_t type, Configuration configuration) {
    std::array<char, 512> why{};
    rd_kafka_t* client = rd_kafka_new(type, configuration.get(), why.data(), why.size());
    if (client == nullptr) {
        throw KafkaError(rd_kafka_last_error(),
                         std::string("a Kafka client could not be made: ") + why.data());
    }
    static_cast<void>(configuration.release()); // rd_kafka_new took it over
    return Client(client);
}

} // namespace outbox::kafka
