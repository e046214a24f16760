#include "control_topic.hpp"

#include <outbox/core/error.hpp>
#include <outbox/core/event.hpp>

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

std::string create_control_command(const std::string& topic, std::int32_t replication) {
    std::string command = create_command(topic, {true, bucket_count, replication});
    for (const auto& [name, value] : control_config()) {
        command += fmt::format(" --config {}={}", name, value);
    }
    return command;
}

void verify(const std::string& topic, const kafka::TopicState& state, const kafka::Properties& config) {
    if (state.partitions() < bucket_count) {
        throw Error(Action::stop, fmt::format("control topic {} has {} partitions, it needs {}", topic,
                                              state.partitions(), bucket_count));
    }
    for (const char* name : {"cleanup.policy", "unclean.leader.election.enable"}) {
        const auto& wanted = control_config().at(name);
        const auto found = config.find(name);
        if (found != config.end() && found->second != wanted) {
            throw Error(
                Action::stop,
                fmt::format(
                    "control topic {} has {}={}, but only {} keeps the manifests; set it: "
                    "kafka-configs.sh --bootstrap-server <broker> --alter --topic {} --add-config {}={}",
                    topic, name, found->second, wanted, topic, name, wanted));
        }
    }
}

} // namespace

void ensure_control_topic(const kafka::Admin& admin, const RelayOptions& options, Deadline deadline) {
    const std::string topic = options.control_topic();
    auto state = admin.topic(topic, deadline);
    if (!state) {
        if (!options.topics.create) {
            throw Error(
                Action::stop,
                fmt::format("control topic {} does not exist and KAFKA_CREATE_TOPICS is off; create it: {}",
                            topic, create_control_command(topic, options.topics.replication)));
        }
        // As many partitions as there can ever be shards: re-sharding needs no new ones.
        admin.create_topic({topic, bucket_count, options.topics.replication, control_config()}, deadline);
        state = admin.topic(topic, deadline);
    }
    if (state) {
        verify(topic, *state, admin.topic_config(topic, deadline));
    }
}

} // namespace outbox::relay
