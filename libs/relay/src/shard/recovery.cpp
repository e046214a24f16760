#include "shard/recovery.hpp"

#include <outbox/faults/faults.hpp>
#include <outbox/telemetry/log.hpp>

#include <utility>

namespace outbox::relay {
Step Recovery::take(milliseconds most) {
    acquired_ = session_.database().acquire(shard_, settings_.relay, settings_.identity);
    if (!acquired_) {
        return {Step::Kind::lost, "another relay owns it"};
    }
    faults::point("after-epoch");
    limit_ = SteadyClock::now() + most;
    return {};
}

Patience Recovery::patience() {
    return {Deadline::at(limit_), [this] { return session_.database().owns(acquired_->ownership); }};
}

Step Recovery::fence() {
    fencing_.fence(acquired_->before, shard_, patience());
    return {};
}

Step Recovery::read() {
    const auto tail = brokers_.read_manifests(*acquired_, patience());
    auto plan = plan_recovery(settings_.identity.outbox_id, *acquired_, tail);
    if (auto* const stop = std::get_if<StopShard>(&plan)) {
        if (!session_.database().owns(acquired_->ownership)) { // a successor's manifests are no alarm
            return {Step::Kind::lost, "another relay took it while this one read the manifests"};
        }
        return {Step::Kind::stopped, std::move(stop->reason)};
    }
    settle_ = std::move(std::get<Settle>(plan));
    brokers_.find_gone(session_.database(), shard_, settle_, patience());
    return {};
}

Step Recovery::settle() {
    store::ShardDatabase& database = session_.database();
    if (settle_.raise_epoch) {
        acquired_->ownership = database.raise_epoch(acquired_->ownership);
    }
    const auto settled = database.settle(acquired_->ownership, *fencing_.slot(), settle_.rows, settle_.gone, settle_.newest,
                                         settings_.block_failed_keys);
    faults::point("after-settle");
    tell(settled);
    acquired_->marked = settle_.newest;
    settle_ = {};
    return {};
}

void Recovery::tell(const store::Settled& settled) const {
    const int shard = shard_;
    for (const store::GoneRows& gone : settle_.gone) {
        log::error("events are gone with their topic: they are FAILED",
                   {{"shard", shard}, {"events", gone.rows.size()}, {"error", gone.why}});
    }
    log::info("shard taken", {{"shard", shard},
                              {"epoch", acquired_->ownership.epoch},
                              {"batch", settle_.newest.batch},
                              {"settled_sent", settled.sent},
                              {"reset", settled.reset}});
    if (settled.emptied) {
        log::error("outbox_events was emptied while its events were at the broker: those are sent and have "
                   "no rows any "
                   "more; other events have their numbers, and are sent as what they are",
                   {{"shard", shard}});
    }
    if (settled.seq_moved) {
        log::warn("events that Kafka has were lost by the database; its numbering was moved past them",
                  {{"shard", shard}});
    }
}

} // namespace outbox::relay
