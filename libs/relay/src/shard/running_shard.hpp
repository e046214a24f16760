#pragma once

#include "shard/postgres_session.hpp"
#include "shard/shard_loop.hpp"

#include <outbox/delivery/topic_watch.hpp>
#include <outbox/kafka/admin.hpp>

namespace outbox::relay {

/// A shard's loop with PostgreSQL and Kafka behind its seams, on a thread of its own; it ends with this.
class RunningShard {
public:
    /// What the shards of one relay share besides. Outlives them.
    struct Servers {
        const kafka::Admin& admin;
        Brokers& brokers;
        delivery::TopicBook& topics;
        delivery::TopicWatch& watch;
        Clock& clock;
        Observer& observer;
    };
    RunningShard(const ShardLoop::Settings& settings, const Work::Settings& work, const Servers& servers);

    [[nodiscard]] ShardBell& bell() { return loop_.bell(); }
    [[nodiscard]] const ShardLoop& loop() const { return loop_; }

private:
    PostgresSession session_;
    ShardLoop loop_;
};

} // namespace outbox::relay
