#pragma once

#include <outbox/core/settings.hpp>
#include <outbox/delivery/settings.hpp>
#include <outbox/kafka/lane.hpp>
#include <outbox/messages/messages.hpp>
#include <outbox/postgres/connection.hpp>
#include <outbox/store/shard.hpp>

#include <string>

namespace outbox::relay {

/// A relay's settings, typed.
struct RelayOptions {
    postgres::ConnectOptions database;
    kafka::ClientOptions kafka;
    delivery::TopicPolicy topics;
    store::ClaimLimits claim;
    milliseconds poll_interval{5'000};
    milliseconds lease{10'000};
    milliseconds drain_timeout{10'000};
    milliseconds statement_timeout{
        3'000}; ///< a third of the lease at most: a hung client cannot block its successor
    std::int32_t max_retries = 3;
    bool block_failed_keys = false; ///< later events of a key of which one is FAILED wait for an operator
    bool delete_sent = false;       ///< events that are sent do not stay in the table
    std::string dead_letter_topic;  ///< empty: none
    int first_shards = 8;
    int pipelines = 2; ///< at most, and no more than processors; more than one where there is a backlog
    std::string name;  ///< of the outbox
    messages::Messages messages;
    kafka::LaneFactory make_lane = kafka::make_lane;

    [[nodiscard]] std::string control_topic() const { return "outbox." + name + ".control"; }
    /// Where replays write down how far they are.
    [[nodiscard]] std::string backfill_topic() const { return "outbox." + name + ".backfill"; }
};

/// @throws UsageError when OUTBOX_NAME cannot be part of a topic's name.
RelayOptions relay_options(const Settings& settings);

} // namespace outbox::relay
