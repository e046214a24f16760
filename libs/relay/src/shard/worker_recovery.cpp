// Recovery of a shard, step by step: own it, fence, read the manifests, settle the rows.
#include "outbox/delivery/control_topic.hpp"
#include "shard/gone_rows.hpp"
#include "shard/lost_markers.hpp"
#include "shard/pending.hpp"
#include "shard/worker.hpp"

#include <outbox/core/event.hpp>
#include <outbox/faults/faults.hpp>
#include <outbox/telemetry/log.hpp>

namespace outbox::relay {
namespace {

constexpr milliseconds recovery_timeout{20'000};

std::vector<int> buckets_of(int shard, int shard_count) {
    std::vector<int> buckets;
    for (int bucket = shard; bucket < bucket_count; bucket += shard_count) {
        buckets.push_back(bucket);
    }
    return buckets;
}

} // namespace

postgres::Connection ShardWorker::open_session() const {
    auto session = postgres::Connection::open(context_.options.database, Deadline::in(milliseconds(5'000)));
    const std::string durable = faults::cure("flush-before-commit") ? "on" : "off";
    // The statements know their indexes; a plan must not depend on how fresh the statistics are.
    session.script("SET enable_indexscan = on; SET enable_nestloop = on; SET enable_seqscan = off;"
                   " SET enable_bitmapscan = off; SET enable_hashjoin = off;"
                   " SET enable_mergejoin = off; SET jit = off; SET plan_cache_mode = force_generic_plan;"
                   " SET synchronous_commit = " +
                       durable,
                   Deadline::in(context_.options.statement_timeout));
    return session;
}

void ShardWorker::close_connection() {
    store_.reset(); // it works with the connection
    connection_.reset();
}

void ShardWorker::open_connection() {
    close_connection();
    connection_ = open_session();
    store_.emplace(*connection_, shard_, buckets_of(shard_, context_.identity.shard_count),
                   context_.options.statement_timeout);
}

void ShardWorker::take() {
    if (!connection_ || !connection_->usable()) {
        open_connection();
    }
    store_->wake();
    returns_ = context_.kafka_returns;
    acquired_ = store_->acquire(context_.relay, context_.identity);
    if (!acquired_) {
        throw store::NotOwner("another relay owns it");
    }
    faults::point("after-epoch");
    recovery_limit_ = SteadyClock::now() + recovery_timeout;
    machine_.done();
}

Patience ShardWorker::patience() {
    return {Deadline::at(recovery_limit_), [this] { return store_->owns(acquired_->ownership); }};
}

void ShardWorker::fence() {
    const auto [deadline, go_on] = patience();
    publisher_.stop();
    LostMarkers lost(context_, *store_, acquired_->ownership, publisher_.lane_ids(), {deadline, go_on});
    lost.note();
    publisher_.start(static_cast<std::size_t>(context_.topics.smallest_batch_limit()), deadline, go_on);
    faults::point("after-init");
    unmarked_topics_.clear();
    for (const std::string& topic : lost.write()) {
        unmarked_topics_[topic];
        log::warn("topic parked", {{"shard", shard_},
                                   {"topic", topic},
                                   {"reason", "a partition that may lack a marker has no leader to ask"}});
    }
    machine_.done();
}

kafka::ControlTail ShardWorker::read_tail() {
    const auto [deadline, go_on] = patience();
    const std::string topic = context_.options.control_topic();
    const auto& marked = acquired_->marked;
    try {
        return kafka::read_control(context_.options.kafka, context_.admin, topic, shard_,
                                   marked.batch == 0 ? -1 : marked.offset, deadline, go_on);
    } catch (const kafka::KafkaError& error) {
        if (!kafka::is_missing(error.code())) {
            throw;
        }
        throw delivery::missing_control_topic(topic, shard_, context_.identity.cluster_id,
                                              context_.admin.cluster_id(deadline));
    }
}

void ShardWorker::read_manifests() {
    const auto tail = read_tail();
    auto plan = plan_recovery(context_.identity.outbox_id, *acquired_, tail);
    if (const auto* stop = std::get_if<StopShard>(&plan)) {
        if (!store_->owns(acquired_->ownership)) { // the manifests of a successor are no reason for an alarm
            throw store::NotOwner("another relay took it while this one read the manifests");
        }
        throw Contradiction(stop->reason);
    }
    settle_ = std::move(std::get<Settle>(plan));
    find_gone(context_, *store_, settle_, patience());
    machine_.done();
}

void ShardWorker::settle() {
    if (settle_.raise_epoch) {
        acquired_->ownership = store_->raise_epoch(acquired_->ownership);
    }
    const auto settled = store_->settle(acquired_->ownership, settle_.rows, settle_.gone, settle_.newest,
                                        context_.options.block_failed_keys);
    faults::point("after-settle");
    for (const store::GoneRows& gone : settle_.gone) {
        log::error("events are gone with their topic: they are FAILED",
                   {{"shard", shard_}, {"events", gone.rows.size()}, {"error", gone.why}});
    }
    log::info("shard taken", {{"shard", shard_},
                              {"epoch", acquired_->ownership.epoch},
                              {"batch", settle_.newest.batch},
                              {"settled_sent", settled.sent},
                              {"reset", settled.reset}});
    if (settled.emptied) {
        log::error("outbox_events was emptied while its events were at the broker: those are sent and have "
                   "no rows any "
                   "more; other events have their numbers, and are sent as what they are",
                   {{"shard", shard_}});
    }
    if (settled.seq_moved) {
        log::warn("events that Kafka has were lost by the database; its numbering was moved past them",
                  {{"shard", shard_}});
    }
    acquired_->marked = settle_.newest;
    next_batch_ = settle_.newest.batch + 1;
    settle_ = {};
    begin_work();
    machine_.done();
}

/// Nothing is in hand but a batch without events where one is needed, and what was known is looked up again.
void ShardWorker::begin_work() {
    pending_ = std::make_unique<Pending>();
    if (next_batch_ == 1 || unproven_ || control_doubted_) {
        pending_->ready = empty_batch();
    }
    pace_ = {};
    pace_.busy(SteadyClock::now());
    next_tend_ = {};
    free_keys_.clear();
    noted_topics_.clear();
    refused_buckets_.clear();
    tries_refused_ = true;
}

} // namespace outbox::relay
