// Makes librdkafka's clients. Connections are made again soon after they break, for a relay's shard
// waits for them; timeouts are short enough that a transaction's own deadline comes last. A client's
// log is read here, because it alone says why a broker is not reached.

#include "client/configuration.hpp"

#include "client/troubles.hpp"
#include "outbox/kafka/error.hpp"
#include "outbox/kafka/version.hpp"

#include <outbox/core/secret_file.hpp>
#include <outbox/telemetry/log.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <mutex>
#include <stdexcept>

namespace outbox::kafka {
namespace {

/// A client that is refused tries again and again: said at once, then after 10 s, 20 s, 40 s, ... up to ten
/// minutes. A minute without it begins anew.
bool is_time_to_say_it() {
    using namespace std::chrono_literals;
    static std::mutex mutex;
    static SteadyClock::time_point next;
    static std::chrono::seconds pause = 0s;
    const std::lock_guard lock(mutex);
    const auto now = SteadyClock::now();
    if (now < next) {
        return false;
    }
    pause = now > next + 1min ? 10s : std::min<std::chrono::seconds>(pause * 2, 10min);
    next = now + pause;
    return true;
}

/// librdkafka tells in its log alone why it does not reach a broker, to clients that nobody polls.
void forward_log(const rd_kafka_t* client, int level, const char* facility, const char* message) {
    constexpr int error_level = 3; // syslog's
    if (auto trouble = trouble_in(facility, message)) {
        if (trouble->refusal && is_time_to_say_it()) {
            log::error("no secure connection to Kafka", {{"reason", trouble->text}});
        }
        note_trouble(client, *std::move(trouble));
    }
    if (level <= error_level) {
        log::debug("librdkafka", {{"facility", facility}, {"text", message}});
    }
}

} // namespace

std::string library_version() {
    return rd_kafka_version_str();
}

milliseconds metadata_interval(const ClientOptions& options) {
    const auto found = options.producer.find(metadata_interval_property);
    const milliseconds wished(found == options.producer.end() ? 0 : std::stoll(found->second));
    return wished > milliseconds(0) ? wished : default_metadata_interval;
}

Properties security_now(const ClientOptions& options) {
    Properties security = options.security;
    for (const auto& [name, file] : options.secret_files) {
        security[name] = secret_in(file, security[name]);
    }
    return security;
}

bool compresses(const ClientOptions& options) {
    for (const char* name : {"compression.type", "compression.codec"}) {
        const auto found = options.producer.find(name);
        if (found != options.producer.end() && found->second != "none") {
            return true;
        }
    }
    return false;
}

void destroy_client(rd_kafka_s* client) noexcept {
    if (rd_kafka_type(client) == RD_KAFKA_PRODUCER) {
        // A producer that goes away must not wait for records that nobody asked to be
        // committed.
        rd_kafka_purge(client,
                       RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING);
    }
    rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    forget_trouble(client);
}

Configuration make_configuration(const ClientOptions& options, const Properties& properties) {
    Configuration configuration(rd_kafka_conf_new());
    Properties all{{"bootstrap.servers", options.brokers}, {"client.id", options.client_id},
                   {"socket.timeout.ms", "5000"},          {"socket.nagle.disable", "true"},
                   {"socket.keepalive.enable", "true"},    {"reconnect.backoff.ms", "50"},
                   {"reconnect.backoff.max.ms", "250"},    {"log.connection.close", "true"}};
    for (const auto& more : {security_now(options), properties}) {
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
