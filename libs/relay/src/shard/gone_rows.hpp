#pragma once

#include "shard/patience.hpp"
#include "shard/recovery_plan.hpp"

#include <outbox/delivery/topic_watch.hpp>
#include <outbox/kafka/admin.hpp>
#include <outbox/kafka/client.hpp>
#include <outbox/store/shard_database.hpp>

namespace outbox::relay {

/// Where the rows of a shard are.
struct ShardRows {
    store::ShardDatabase& database;
    int shard = 0;
};

/// Brokers::find_gone(). A step of recovery, after the manifests were read and before their rows are settled.
void find_gone(const kafka::ClientOptions& client, const kafka::Admin& admin, delivery::TopicWatch& watch,
               const ShardRows& rows_of, Settle& settle, const Patience& patience);

} // namespace outbox::relay
