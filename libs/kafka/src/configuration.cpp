#include "configuration.hpp"

#include "outbox/kafka/error.hpp"

#include <outbox/telemetry/log.hpp>

#include <array>
#include <stdexcept>

namespace outbox::kafka {
namespace {

void forward_log(const rd_kafka_t*, int level, const char* facility, const char* message) {
    constexpr int error_level = 3; // syslog's
    if (level <= error_level) {
        log::debug("librdkafka", {{"facility", facility}, {"text", message}});
    }
}

} // namespace

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
    for (const auto& [name, value] : properties) {
        all[name] = value;
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
