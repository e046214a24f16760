#pragma once

#include "shard/pipeline_loop.hpp"
#include "shard/postgres_session.hpp"

#include <outbox/delivery/topic_watch.hpp>
#include <outbox/kafka/admin.hpp>

namespace outbox::relay {

/// A pipeline's loop with PostgreSQL and Kafka behind its seams, on a thread of its own; it ends with this.
class RunningPipeline {
public:
    /// What the pipelines of one relay share besides. Outlives them.
    struct Servers {
        const kafka::Admin& admin;
        Brokers& brokers;
        delivery::TopicBook& topics;
        delivery::TopicWatch& watch;
        Clock& clock;
        Observer& observer;
    };
    RunningPipeline(const PipelineLoop::Settings& settings, const Work::Settings& work,
                    const Servers& servers);

    [[nodiscard]] PipelineBell& bell() { return loop_.bell(); }
    [[nodiscard]] PipelineLoop& loop() { return loop_; }
    [[nodiscard]] const PipelineLoop& loop() const { return loop_; }

private:
    PostgresSession session_;
    PipelineLoop loop_;
};

} // namespace outbox::relay
