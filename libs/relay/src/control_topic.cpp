#include "outbox/relay/control_topic.hpp"

#include <outbox/core/error.hpp>

#include <fmt/format.h>

namespace outbox::relay {
namespace {

const kafka::Properties& control_config() {
    static const kafka::Properties config{{"cleanup.policy", "compact"},
                                          {"segment.bytes", "16777216"},
                                          {"unclean.leader.election.enable", "false"},
                                          {"max.message.bytes", "4194304"}};
    return config;
}

std::string create_control_command(const ControlTopic& topic, TopicPolicy policy) {
    policy.partitions = topic.partitions;
    std::string command = create_command(topic.name, policy);
    for (const auto& [name, value] : control_config()) {
        command += fmt::format(" --config {}={}", name, value);
    }
    return command;
}

void verify(const ControlTopic& topic, const kafka::Properties& config, const std::string& brokers) {
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

void ensure_control_topic(const kafka::Admin& admin, const ControlTopic& topic, const TopicPolicy& policy,
                          Deadline deadline) {
    auto state = admin.topic(topic.name, deadline);
    if (!state) {
        if (!policy.create) {
            throw Error(
                Action::stop,
                fmt::format("control topic {} does not exist and KAFKA_CREATE_TOPICS is off; create it: {}",
                            topic.name, create_control_command(topic, policy)));
        }
        admin.create_topic({topic.name, topic.partitions, policy.replication, control_config()}, deadline);
        state = admin.topic(topic.name, deadline);
    }
    if (state) {
        verify(topic, admin.topic_config(topic.name, deadline), policy.brokers);
        if (state->partitions() < topic.partitions) {
            add_partitions(admin, topic, state->partitions(), policy, deadline);
        }
    }
}

} // namespace outbox::relay
