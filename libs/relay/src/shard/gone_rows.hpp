#pragma once

#include "shard/patience.hpp"
#include "shard/recovery_plan.hpp"

#include <outbox/delivery/topic_watch.hpp>
#include <outbox/kafka/admin.hpp>
#include <outbox/kafka/client.hpp>
#include <outbox/store/shard_database.hpp>

namespace outbox::relay {

/// Brokers::find_gone(). A step of recovery, after the manifests were read and before their rows are settled.
void find_gone(const kafka::ClientOptions& client, const kafka::Admin& admin, delivery::TopicWatch& watch,
               store::ShardDatabase& store, Settle& settle, const Patience& patience);

} // namespace outbox::relay
