#include "configuration.hpp"

#include "outbox/kafka/error.hpp"

#include <outbox/telemetry/log.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string_view>

namespace outbox::kafka {
namespace {

/// Brokers that are away show in what fails for it. That they refuse this client, or it them, would not: what
/// fails says only that no broker answered. librdkafka tells the difference in its log alone, to clients that
/// nobody polls.
bool tells_of_refusal(std::string_view message) {
    return message.find("uthentication") != std::string_view::npos ||
           message.find("SSL handshake failed") != std::string_view::npos ||
           message.find("SSL alert number") !=
               std::string_view::npos; // after TLS 1.3's handshake: our certificate
}

/// Older clients repeat their nonce in SCRAM's last message, which brokers let pass until Kafka 4.
std::string hint_for(std::string_view message) {
    constexpr int mended = 0x020601ff;
    const bool old = rd_kafka_version() < mended && message.find("SCRAM") != std::string_view::npos;
    return old ? "; Kafka 4 refuses SCRAM from clients before librdkafka 2.6.1 (docs/security.md)" : "";
}

/// A client that is refused tries again and again.
bool is_time_to_say_it() {
    constexpr std::int64_t pause_s = 10;
    static std::atomic<std::int64_t> next_s{0};
    const auto now = SteadyClock::now().time_since_epoch();
    const auto now_s = std::chrono::duration_cast<std::chrono::seconds>(now).count();
    auto due_s = next_s.load();
    return now_s >= due_s && next_s.compare_exchange_strong(due_s, now_s + pause_s);
}

void forward_log(const rd_kafka_t*, int level, const char* facility, const char* message) {
    constexpr int error_level = 3; // syslog's
    if (level > error_level) {
        return;
    }
    if (tells_of_refusal(message) && is_time_to_say_it()) {
        log::warn("no secure connection to Kafka", {{"reason", std::string(message) + hint_for(message)}});
    } else {
        log::debug("librdkafka", {{"facility", facility}, {"text", message}});
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
