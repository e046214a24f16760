#include "shard/running_pipeline.hpp"

#include <outbox/delivery/proof.hpp>

namespace outbox::relay {
namespace {

/// How this shard's producers are called, and what is looked at before each commit.
delivery::PublisherOptions publisher_options(const Work::Settings& work,
                                             const RunningPipeline::Servers& servers) {
    delivery::PublisherOptions options{work.options.kafka,
                                       {}, // of the slot that it leases
                                       delivery::transactional_family(work.outbox_id)};
    options.make_lane = work.options.make_lane;
    options.before_commit = [&client = work.options.kafka, &admin = servers.admin,
                             &watch = servers.watch](const delivery::UnderWay& under_way) {
        delivery::look_before_commit(client, admin, watch, under_way);
    };
    return options;
}

} // namespace

RunningPipeline::RunningPipeline(const PipelineLoop::Settings& settings, const Work::Settings& work,
                                 const Servers& servers)
    : session_(work.options.database,
               {work.shard_count, work.options.statement_timeout, work.options.delete_sent}),
      loop_(settings, work,
            {session_, servers.brokers, servers.topics, servers.watch, servers.clock, servers.observer},
            publisher_options(work, servers)) {
    loop_.start();
}

} // namespace outbox::relay
