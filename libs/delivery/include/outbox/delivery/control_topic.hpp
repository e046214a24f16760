#pragma once

#include <outbox/core/error.hpp>
#include <outbox/delivery/topics.hpp>
#include <outbox/kafka/admin.hpp>
#include <outbox/kafka/client.hpp>

#include <cstdint>
#include <string>

namespace outbox::delivery {

/// A topic that holds the truth about what was sent.
struct ControlTopic {
    std::string name;
    std::int32_t partitions = 1;
};

/// Makes the control topic, or checks that the one there can be trusted: compacted only, no unclean election.
/// Partitions that are missing are added.
/// @throws Error(stop) naming what is wrong and the command that mends it.
void ensure_control_topic(const kafka::Admin& admin, const ControlTopic& topic, const TopicPolicy& policy,
                          Deadline deadline);

/// Looks at the settings of a control topic that stands.
/// @param brokers  for the command that mends it
/// @throws Error(stop) naming the first setting that does not keep what the topic holds
void verify_control_topic(const ControlTopic& topic, const kafka::Properties& config,
                          const std::string& brokers);

/// What a control topic is made with.
kafka::NewTopic new_control_topic(const ControlTopic& topic, const TopicPolicy& policy);

/// The command that makes it by hand, with all its settings.
std::string create_control_command(const ControlTopic& topic, TopicPolicy policy);

/// Why a shard waits whose partition of the control topic is missing.
/// @param cluster, found  ids: of the one that the outbox belongs to, and of the one that answers
Error missing_control_topic(const std::string& topic, std::int32_t partition, const std::string& cluster,
                            const std::string& found);

/// Whether the topic is some outbox's control topic, of a relay or of outbox-backfill: it is called so, is
/// compacted, and holds what such topics hold. One that holds nothing yet, or that this client may not read,
/// is taken for one when it is set up like one.
bool is_control_topic(const kafka::ClientOptions& client, const kafka::Admin& admin,
                      const ControlTopic& topic, const kafka::Properties& config, Deadline deadline);

} // namespace outbox::delivery
