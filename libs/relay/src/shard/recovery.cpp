#include "shard/recovery.hpp"

#include <outbox/faults/faults.hpp>

#include <algorithm>
#include <utility>

namespace outbox::relay {
Step Recovery::take(milliseconds most) {
    acquired_ = session_.database().acquire(shard_, settings_.relay, settings_.identity);
    if (!acquired_) {
        return {Step::Kind::lost, "another relay owns it"};
    }
    faults::point("after-epoch");
    began_ = SteadyClock::now();
    most_ = most;
    observer_.took_over({shard_, acquired_->ownership.epoch, acquired_->marked.batch});
    return {};
}

Patience Recovery::patience() {
    return {Deadline::at(began_ + most_), [this] { return session_.database().owns(acquired_->ownership); }};
}

Step Recovery::fence() {
    fenced_ = {acquired_->before};
    fencing_.fence(acquired_->before, shard_, patience());
    return {};
}

Step Recovery::read() {
    do {
        const auto tail = brokers_.read_manifests(*acquired_, patience());
        observer_.control_lag({shard_, tail.records.size()});
        auto plan = plan_recovery(settings_.identity.outbox_id, *acquired_, tail);
        if (auto* const stop = std::get_if<StopShard>(&plan)) {
            if (!session_.database().owns(acquired_->ownership)) { // a successor's manifests are no alarm
                return {Step::Kind::lost, "another relay took it while this one read the manifests"};
            }
            return {Step::Kind::stopped, std::move(stop->reason)};
        }
        settle_ = std::move(std::get<Settle>(plan));
    } while (fence_unknown());
    brokers_.find_gone(session_.database(), shard_, settle_, patience());
    return {};
}

/// A failover or a backup may have lost under whose producers events of the shard are under way. Manifests
/// name them, for each owner begins with one. @return whether some were fenced: there may be more manifests
/// then
bool Recovery::fence_unknown() {
    bool some = false;
    for (const store::SentUnder& under : settle_.sent_under) {
        if (std::find(fenced_.begin(), fenced_.end(), under) == fenced_.end() &&
            faults::cure("slot-in-manifest")) {
            fenced_.push_back(under);
            some = fencing_.fence(under, shard_, patience()) || some;
        }
    }
    return some;
}

Step Recovery::settle() {
    store::ShardDatabase& database = session_.database();
    if (settle_.raise_epoch) {
        acquired_->ownership = database.raise_epoch(acquired_->ownership);
    }
    const auto settled = database.settle(acquired_->ownership, *fencing_.slot(), settle_.rows, settle_.gone,
                                         settle_.newest, settings_.block_failed_keys);
    faults::point("after-settle");
    tell(settled);
    acquired_->marked = settle_.newest;
    settle_ = {};
    return {};
}

void Recovery::tell(const store::Settled& settled) const {
    std::size_t gone_rows = 0;
    for (const store::GoneRows& gone : settle_.gone) {
        gone_rows += gone.rows.size();
        observer_.gone({shard_, gone.rows.size(), gone.why});
    }
    observer_.recovered({shard_, acquired_->ownership.epoch, settle_.newest.batch, settled.sent,
                         settled.reset, gone_rows, settled.emptied, settled.seq_moved,
                         SteadyClock::now() - began_});
}

} // namespace outbox::relay
