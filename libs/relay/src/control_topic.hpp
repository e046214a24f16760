#pragma once

#include "outbox/relay/options.hpp"

#include <outbox/kafka/admin.hpp>

namespace outbox::relay {

/// Makes the control topic, or checks that the one there can be trusted: compacted only, no unclean election,
/// a partition for every shard.
/// @throws Error(stop) naming what is wrong and the command that mends it.
void ensure_control_topic(const kafka::Admin& admin, const RelayOptions& options, Deadline deadline);

} // namespace outbox::relay
