#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/delivery/publisher.hpp>
#include <outbox/store/shard_database.hpp>

#include <vector>

namespace outbox::relay {

/// What is left to do for a batch that Kafka has; its rows and records are gone from memory.
struct Published {
    std::vector<store::ShardMark> marks; ///< of the shards whose manifests it holds
    std::vector<store::SentRow> sent;
    std::vector<store::FailedAttempt> dead_letters;
    delivery::TopicIdentities identities; ///< of its topics, before any of its records was sent
    SteadyClock::time_point ended;        ///< the commit was answered
    bool proven = false;                  ///< its topics were the same all the time
    bool alone;                           ///< it is marked before anything is claimed
    bool retried = false;                 ///< its event had failed before

    /// @param now  when its commit was answered
    Published(const delivery::BatchEnd& end, SteadyClock::time_point now);
};

} // namespace outbox::relay
