// KAFKA_PRODUCER_*: whatever librdkafka lets a producer be tuned with, except what would break the
// guarantee. A property is tried on a scratch configuration, alone and with the others, so that a
// mistake is told at the start by the name of its variable and not by a shard that never gets on.

#include "client/producer_properties.hpp"

#include "client/configuration.hpp"

#include <outbox/core/error.hpp>
#include <outbox/faults/faults.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace outbox::kafka {
namespace {

constexpr auto batch_size = "batch.size";

/// What must not be changed, and why.
struct Refusal {
    std::string_view property;
    std::string_view allowed; ///< values that change nothing: "a|b"
    std::string_view why;
};

constexpr std::array refusals = std::to_array<Refusal>({
    {"acks", "all|-1", "an event that one broker alone has can be lost"},
    {"request.required.acks", "all|-1", "an event that one broker alone has can be lost"},
    {"enable.idempotence", "true", "a repeated request would send an event twice"},
    {"transactional.id", "", "the relay chooses it, and fences its predecessor by it"},
    {"transaction.timeout.ms", "", "the relay decides a transaction before the broker does"},
    {"message.timeout.ms", "", "it follows from the transaction's time"},
    {"delivery.timeout.ms", "", "it follows from the transaction's time"},
    {"delivery.report.only.error", "false", "the relay writes down where each event stands"},
    {"bootstrap.servers", "", "KAFKA_BROKERS says it for every client"},
    {"metadata.broker.list", "", "KAFKA_BROKERS says it for every client"},
    {"security.protocol", "", "KAFKA_SECURITY_PROTOCOL says it for every client"},
    {"log.connection.close", "true", "a lost connection may have lost a request"},
    {"allow.auto.create.topics", "false", "a topic is made with the settings asked for, or not at all"},
    {"partitioner", "", "RELAY_PARTITION_STRATEGY chooses the partition"},
    {"test.mock.num.brokers", "", "its brokers keep nothing"},
});

/// "linger.ms" of LINGER_MS.
std::string property_name(std::string_view variable) {
    std::string name(variable);
    std::ranges::transform(name, name.begin(), [](char c) {
        return static_cast<char>(c == '_' ? '.' : c >= 'A' && c <= 'Z' ? c + 32 : c);
    });
    return name;
}

/// Whether this value changes nothing, and may therefore stand.
bool allows(const Refusal& refusal, std::string_view value) {
    return !value.empty() &&
           fmt::format("|{}|", refusal.allowed).find(fmt::format("|{}|", value)) != std::string::npos;
}

/// @throws UsageError for what is refused, unknown to librdkafka, or no value of the property
void check(const std::string& variable, const std::string& property, const std::string& value) {
    const auto* const refusal = std::ranges::find(refusals, property, &Refusal::property);
    if (refusal != refusals.end() && !allows(*refusal, value)) {
        throw UsageError(fmt::format("KAFKA_PRODUCER_{}={} is refused: {}", variable, value, refusal->why));
    }
    const Configuration scratch(rd_kafka_conf_new());
    std::array<char, 256> why{};
    if (rd_kafka_conf_set(scratch.get(), property.c_str(), value.c_str(), why.data(), why.size()) !=
        RD_KAFKA_CONF_OK) {
        throw UsageError(fmt::format("KAFKA_PRODUCER_{}={} is not allowed: {}", variable, value, why.data()));
    }
}

/// Some values are refused only beside others, or beside what a transaction needs: asks librdkafka, without a
/// broker.
void check_together(const std::string& said, const Properties& properties) {
    LaneOptions sample;
    sample.client.client_id = "check";
    sample.client.producer = properties;
    sample.transactional_id = "check";
    try {
        make_client(RD_KAFKA_PRODUCER, make_configuration(sample.client, properties_of(sample)));
    } catch (const KafkaError& error) {
        throw UsageError(fmt::format("KAFKA_PRODUCER_{} is refused: {}", said, error.what()));
    }
}

} // namespace

Properties producer_properties(const ConfigFile::Group& variables) {
    Properties properties;
    for (const auto& [variable, value] : variables) {
        const std::string property = property_name(variable);
        check(variable, property, value);
        check_together(fmt::format("{}={}", variable, value), {{property, value}});
        properties[property] = value;
    }
    if (properties.size() > 1) {
        check_together("*", properties);
    }
    return properties;
}

Properties properties_of(const LaneOptions& options) {
    const auto timeout =
        faults::cure("transaction-timeout") ? options.transaction_timeout : std::chrono::minutes(10);
    Properties all{
        {"transactional.id", options.transactional_id},
        {"transaction.timeout.ms", std::to_string(timeout.count())},
        {"message.timeout.ms", std::to_string((timeout / 2).count())},
        {"acks", "all"},
        {"log.connection.close", "true"},      // told of each, but of those that were idle for a minute
        {"allow.auto.create.topics", "false"}, // librdkafka's default for producers makes deleted topics anew
        {"linger.ms", "100"},                  // commit flushes; until then records gather into full batches
        {batch_size, std::to_string(options.batch_bytes)},
        {"batch.num.messages", "50000"},
        {"message.max.bytes", "1000000000"}, // the topic's own limit is checked before
        {"queue.buffering.max.messages", "200000"},
        {"queue.buffering.max.kbytes", "1048576"},
        {metadata_interval_property, std::to_string(default_metadata_interval.count())}};
    for (const auto& [name, value] : options.client.producer) {
        all[name] = value;
    }
    // What the topics accept holds in any case.
    if (std::stoull(all[batch_size]) > options.batch_bytes) {
        all[batch_size] = std::to_string(options.batch_bytes);
    }
    return all;
}

} // namespace outbox::kafka
