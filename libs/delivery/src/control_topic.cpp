// The control topic is where the truth about deliveries stands, so its settings are looked at before
// every start. A topic that deletes old records would forget which batches were committed; one that a
// broker may lead which lacks its end would forget the newest. Both are refused. It is compacted with a
// small number of keys (delivery::control_keys), so it stays small for ever.

#include "outbox/delivery/control_topic.hpp"

#include "outbox/delivery/manifest.hpp"

#include <outbox/kafka/control_reader.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

namespace outbox::delivery {
namespace {

/// What the topic is made with. Small segments, so that compaction gets to work.
const kafka::Properties& control_config() {
    static const kafka::Properties config{{"cleanup.policy", "compact"},
                                          {"segment.bytes", "16777216"},
                                          {"unclean.leader.election.enable", "false"},
                                          {"max.message.bytes", "4194304"}};
    return config;
}

bool has(const kafka::Properties& config, const std::string& name, const std::string& value) {
    const auto found = config.find(name);
    return found != config.end() && found->second == value;
}

/// By its name alone it may be one: of a relay, or of outbox-backfill.
bool is_called_so(std::string_view name) {
    return name.starts_with("outbox.") && (name.ends_with(".control") || name.ends_with(".backfill"));
}

/// Settings that nobody else gives to a topic, both together.
bool is_set_up_so(const kafka::Properties& config) {
    return has(config, "segment.bytes", control_config().at("segment.bytes")) &&
           has(config, "max.message.bytes", control_config().at("max.message.bytes"));
}

/// A manifest, or where a replay stands: "1", its id, numbers.
bool is_control_record(std::string_view value) {
    constexpr std::size_t id_begins = 2;
    constexpr std::size_t id_size = 36;
    return decode(value) || (value.starts_with("1 ") &&
                             Uuid::parse(std::string(value.substr(id_begins, id_size))).has_value());
}

/// What its newest records say; nullopt: there are none, or they cannot be read.
std::optional<bool> holds_control_records(const kafka::ClientOptions& client, const kafka::Admin& admin,
                                          const ControlTopic& topic, Deadline deadline) {
    constexpr std::int64_t newest = 10;
    try {
        for (std::int32_t partition = 0; partition < topic.partitions && !deadline.passed(); ++partition) {
            const auto end = admin.watermarks(topic.name, partition, deadline).second;
            const auto tail =
                kafka::read_control(client, admin, topic.name, partition,
                                    std::max<std::int64_t>(end - newest, 0), deadline, [] { return true; });
            if (!tail.records.empty()) {
                return is_control_record(tail.records.back().value);
            }
        }
    } catch (const Error&) { // not to be read, or not now
    }
    return std::nullopt;
}

/// Makes the topic; one that somebody else made meanwhile is fine, and is looked at afterwards.
void create(const kafka::Admin& admin, const ControlTopic& topic, const TopicPolicy& policy,
            Deadline deadline) {
    try {
        admin.create_topic(new_control_topic(topic, policy), deadline);
    } catch (const kafka::KafkaError& error) {
        if (error.code() != kafka::invalid_topic) {
            throw;
        }
        // Kafka takes '.' and '_' for the same letter when a topic is made.
        throw Error(Action::stop, fmt::format("{}: choose another OUTBOX_NAME", error.what()));
    }
}

/// A shard's manifests stay in the partition of its number, so new shards need new partitions.
void add_partitions(const kafka::Admin& admin, const ControlTopic& topic, std::int32_t found,
                    const TopicPolicy& policy, Deadline deadline) {
    const auto needs = [&](const std::string& why) {
        return Error(
            Action::stop,
            fmt::format("control topic {} has {} partitions, it needs {}{}; add them: kafka-topics.sh"
                        " --bootstrap-server {} --alter --topic {} --partitions {}",
                        topic.name, found, topic.partitions, why, policy.brokers, topic.name,
                        topic.partitions));
    };
    if (!policy.create) {
        throw needs("");
    }
    try {
        admin.add_partitions(topic.name, topic.partitions, deadline);
    } catch (const kafka::KafkaError& error) {
        if (error.blame() != kafka::Blame::topic) {
            throw;
        }
        throw needs(fmt::format(" ({})", error.what()));
    }
}

} // namespace

std::string create_control_command(const ControlTopic& topic, TopicPolicy policy) {
    policy.partitions = topic.partitions;
    std::string command = create_command(topic.name, policy);
    for (const auto& [name, value] : control_config()) {
        command += fmt::format(" --config {}={}", name, value);
    }
    return command;
}

kafka::NewTopic new_control_topic(const ControlTopic& topic, const TopicPolicy& policy) {
    return {topic.name, topic.partitions, policy.replication, control_config()};
}

void verify_control_topic(const ControlTopic& topic, const kafka::Properties& config,
                          const std::string& brokers) {
    for (const char* name : {"cleanup.policy", "unclean.leader.election.enable"}) {
        const auto& wanted = control_config().at(name);
        const auto found = config.find(name);
        if (found != config.end() && found->second != wanted) {
            throw Error(
                Action::stop,
                fmt::format("control topic {} has {}={}, but only {} keeps what it holds; set it: "
                            "kafka-configs.sh --bootstrap-server {} --alter --topic {} --add-config {}={}",
                            topic.name, name, found->second, wanted, brokers, topic.name, name, wanted));
        }
    }
}

void ensure_control_topic(const kafka::Admin& admin, const ControlTopic& topic, const TopicPolicy& policy,
                          Deadline deadline) {
    // Looked for, made if need be, and looked at again: another relay may have been faster, with
    // other settings.
    auto state = admin.topic(topic.name, deadline);
    if (!state) {
        if (!policy.create) {
            throw Error(
                Action::stop,
                fmt::format("control topic {} does not exist and KAFKA_CREATE_TOPICS is off; create it: {}",
                            topic.name, create_control_command(topic, policy)));
        }
        create(admin, topic, policy, deadline);
        state = admin.topic(topic.name, deadline);
    }
    if (state) {
        verify_control_topic(topic, admin.topic_config(topic.name, deadline), policy.brokers);
        if (state->partitions() < topic.partitions) {
            add_partitions(admin, topic, state->partitions(), policy, deadline);
        }
    }
}

Error missing_control_topic(const std::string& topic, std::int32_t partition, const std::string& cluster,
                            const std::string& found) {
    if (found != cluster) {
        return {Action::stop, fmt::format("KAFKA_BROKERS leads to the Kafka cluster {} now, and this outbox "
                                          "belongs to {}: bring that one back, or stop the relays and see "
                                          "what `outbox-relay adopt` says",
                                          found, cluster)};
    }
    return {Action::stop,
            fmt::format("partition {} of the control topic {} does not exist any more, so it is not known "
                        "what was sent: stop the relays and see what `outbox-relay reconcile` says",
                        partition, topic)};
}

bool is_control_topic(const kafka::ClientOptions& client, const kafka::Admin& admin,
                      const ControlTopic& topic, const kafka::Properties& config, Deadline deadline) {
    constexpr std::chrono::seconds patience{2};
    const auto policy = config.find("cleanup.policy");
    const bool compacted = policy != config.end() && policy->second.find("compact") != std::string::npos;
    return is_called_so(topic.name) && compacted &&
           holds_control_records(client, admin, topic, deadline.at_most(patience))
               .value_or(is_set_up_so(config));
}

} // namespace outbox::delivery
