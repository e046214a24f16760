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

std::string create_control_command(const ControlTopic& topic, std::int32_t replication) {
    std::string command = create_command(topic.name, {true, topic.partitions, replication});
    for (const auto& [name, value] : control_config()) {
        command += fmt::format(" --config {}={}", name, value);
    }
    return command;
}

void verify(const ControlTopic& topic, const kafka::TopicState& state, const kafka::Properties& config) {
    if (state.partitions() < topic.partitions) {
        throw Error(Action::stop, fmt::format("control topic {} has {} partitions, it needs {}", topic.name,
                                              state.partitions(), topic.partitions));
    }
    for (const char* name : {"cleanup.policy", "unclean.leader.election.enable"}) {
        const auto& wanted = control_config().at(name);
        const auto found = config.find(name);
        if (found != config.end() && found->second != wanted) {
            throw Error(
                Action::stop,
                fmt::format(
                    "control topic {} has {}={}, but only {} keeps what it holds; set it: "
                    "kafka-configs.sh --bootstrap-server <broker> --alter --topic {} --add-config {}={}",
                    topic.name, name, found->second, wanted, topic.name, name, wanted));
        }
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
                            topic.name, create_control_command(topic, policy.replication)));
        }
        admin.create_topic({topic.name, topic.partitions, policy.replication, control_config()}, deadline);
        state = admin.topic(topic.name, deadline);
    }
    if (state) {
        verify(topic, *state, admin.topic_config(topic.name, deadline));
    }
}

} // namespace outbox::relay
