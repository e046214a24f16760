#include "shard/recovery.hpp"

#include <outbox/faults/faults.hpp>

#include <utility>

namespace outbox::relay {
namespace {

constexpr milliseconds recovery_timeout{20'000};

} // namespace

Step Recovery::take() {
    if (!session_.usable()) {
        session_.open();
    }
    store::ShardDatabase& database = session_.database();
    database.wake();
    acquired_ = database.acquire(settings_.relay, settings_.identity);
    if (!acquired_) {
        return {Step::Kind::lost, "another relay owns it"};
    }
    faults::point("after-epoch");
    began_ = SteadyClock::now();
    observer_.took_over({settings_.shard, acquired_->ownership.epoch, acquired_->marked.batch});
    return {};
}

Patience Recovery::patience() {
    return {Deadline::at(began_ + recovery_timeout),
            [this] { return session_.database().owns(acquired_->ownership); }};
}

Step Recovery::fence() {
    const Patience patience = this->patience();
    publisher_.stop();
    const auto markers =
        brokers_.markers(session_.database(), acquired_->ownership, publisher_.lane_ids(), patience);
    markers->note();
    publisher_.start(static_cast<std::size_t>(topics_.smallest_batch_limit()), patience.deadline,
                     patience.go_on);
    faults::point("after-init");
    unmarked_topics_ = markers->write();
    for (const std::string& topic : unmarked_topics_) {
        observer_.marker_waits({settings_.shard, topic});
    }
    return {};
}

Step Recovery::read() {
    const auto tail = brokers_.read_manifests(*acquired_, patience());
    observer_.control_lag({settings_.shard, tail.records.size()});
    auto plan = plan_recovery(settings_.identity.outbox_id, *acquired_, tail);
    if (auto* const stop = std::get_if<StopShard>(&plan)) {
        if (!session_.database().owns(acquired_->ownership)) { // a successor's manifests are no alarm
            return {Step::Kind::lost, "another relay took it while this one read the manifests"};
        }
        return {Step::Kind::stopped, std::move(stop->reason)};
    }
    settle_ = std::move(std::get<Settle>(plan));
    brokers_.find_gone(session_.database(), settle_, patience());
    return {};
}

Step Recovery::settle() {
    store::ShardDatabase& database = session_.database();
    if (settle_.raise_epoch) {
        acquired_->ownership = database.raise_epoch(acquired_->ownership);
    }
    const auto settled = database.settle(acquired_->ownership, settle_.rows, settle_.gone, settle_.newest,
                                         settings_.block_failed_keys);
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
        observer_.gone({settings_.shard, gone.rows.size(), gone.why});
    }
    observer_.recovered({settings_.shard, acquired_->ownership.epoch, settle_.newest.batch, settled.sent,
                         settled.reset, gone_rows, settled.emptied, settled.seq_moved,
                         SteadyClock::now() - began_});
}

Recovered Recovery::recovered() const {
    return {acquired_->ownership, acquired_->marked.batch + 1, unmarked_topics_};
}

} // namespace outbox::relay
