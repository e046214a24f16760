#pragma once

#include "shard/lost_markers.hpp"
#include "shard/recovery.hpp"
#include "shard/worker.hpp"

namespace outbox::relay {

/// A transaction is committed with success although a topic was deleted and made again while it was open, and
/// its manifest says nothing of what is gone with the old one. So rows of topics that are not those any more
/// which they were before are looked for in what stands there now; those that are not found, or cannot be
/// looked for, become `gone`.
/// A step of recovery, after the manifests were read and before their rows are settled.
/// @throws KafkaError: brokers do not say which topics there are, or are away
void find_gone(const RelayContext& context, store::ShardStore& store, Settle& settle,
               const Patience& patience);

} // namespace outbox::relay
