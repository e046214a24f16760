#include "outbox/relay/worker.hpp"

#include "lost_markers.hpp"
#include "outbox/relay/fault_point.hpp"
#include "outbox/relay/retry_policy.hpp"
#include "pending.hpp"

#include <outbox/core/event.hpp>
#include <outbox/telemetry/log.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace outbox::relay {
namespace {

constexpr milliseconds recovery_timeout{20'000};
constexpr milliseconds unmarked_pace{500};
const Backoff recovery_wait(milliseconds(50), milliseconds(500));

std::vector<int> buckets_of(int shard, int shard_count) {
    std::vector<int> buckets;
    for (int bucket = shard; bucket < bucket_count; bucket += shard_count) {
        buckets.push_back(bucket);
    }
    return buckets;
}

PublisherOptions publisher_options(const RelayContext& context, int shard) {
    PublisherOptions options{context.options.kafka, transactional_prefix(context.identity.outbox_id, shard)};
    options.make_lane = context.options.make_lane;
    return options;
}

/// The lanes are gone or doubtful: only a recovery tells what was sent.
class NeedsRecovery final : public Error {
public:
    explicit NeedsRecovery(const std::string& message) : Error(Action::reconnect, message) {}
};

} // namespace

ShardWorker::ShardWorker(const RelayContext& context, int shard)
    : context_(context),
      shard_(shard),
      publisher_(publisher_options(context, shard), signal_),
      event_limit_(context.options.claim.rows),
      thread_([this] { run(); }) {}

ShardWorker::~ShardWorker() {
    request_release();
    thread_.join();
}

void ShardWorker::ring() {
    rung_ = true;
    signal_.notify();
}

void ShardWorker::doubt() {
    doubted_ = true;
    ring();
}

void ShardWorker::check_doubt() {
    if (doubted_.exchange(false) && store_ && acquired_ && !store_->owns(acquired_->ownership)) {
        throw store::NotOwner("another relay took it while this one was hung or cut off");
    }
}

/// A topic waits for a lost marker: as soon as it can be asked, a recovery writes it.
void ShardWorker::check_unmarked() {
    if (unmarked_topics_.empty() || SteadyClock::now() < next_unmarked_look_) {
        return;
    }
    next_unmarked_look_ = SteadyClock::now() + unmarked_pace;
    for (const std::string& name : unmarked_topics_) {
        const auto state = context_.admin.topic(name, Deadline::in(std::chrono::seconds(1)));
        if (!state || state->led()) {
            throw NeedsRecovery("topic " + name + " can be asked again for a marker that was lost");
        }
    }
}

void ShardWorker::request_release() {
    release_ = true;
    signal_.notify();
}

void ShardWorker::run() {
    // Told to release, it still settles what it owns; the node's drain sets the limit.
    while (!releasing() || acquired_) {
        try {
            session();
        } catch (const store::NotOwner& lost) {
            log::info("shard lost", {{"shard", shard_}, {"reason", lost.what()}});
            acquired_.reset();
            break;
        } catch (const Error& error) {
            if (error.action() == Action::stop) {
                stand_still(error.what());
                break;
            }
            ++failures_;
            log::warn("shard recovers",
                      {{"shard", shard_}, {"reason", error.what()}, {"failures", failures_}});
        } catch (const std::exception& error) {
            ++failures_;
            log::error("shard recovers from an unexpected error",
                       {{"shard", shard_}, {"reason", error.what()}});
        }
        signal_.wait(Deadline::in(recovery_wait.after(std::max(failures_, 1), dice())));
    }
    publisher_.stop();
    connection_.reset();
    ended_ = true;
}

/// One life of the shard: ownership, recovery, work. Returns when it was released or never taken.
void ShardWorker::session() {
    if (!connection_ || !connection_->usable()) {
        open_connection();
    }
    if (!take_shard()) {
        throw store::NotOwner("another relay owns it");
    }
    recover();
    operate();
    store_->release(acquired_->ownership);
    acquired_.reset();
    log::info("shard released", {{"shard", shard_}});
}

void ShardWorker::open_connection() {
    store_.reset();
    connection_ = postgres::Connection::open(context_.options.database, Deadline::in(milliseconds(5'000)));
    // The statements know their indexes; a plan must not depend on how fresh the statistics are.
    connection_->script(
        "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off;"
        " SET enable_mergejoin = off; SET jit = off; SET plan_cache_mode = force_generic_plan;"
        " SET synchronous_commit = on",
        Deadline::in(context_.options.statement_timeout));
    store_.emplace(*connection_, shard_, buckets_of(shard_, context_.identity.shard_count),
                   context_.options.statement_timeout);
}

bool ShardWorker::take_shard() {
    store_->wake();
    acquired_ = store_->acquire(context_.relay, context_.identity.shard_count);
    if (acquired_) {
        fault_point("after-epoch");
    }
    return acquired_.has_value();
}

void ShardWorker::recover() {
    const auto go_on = [this] { return store_->owns(acquired_->ownership); };
    const Deadline deadline = Deadline::in(recovery_timeout);
    publisher_.stop();
    LostMarkers lost(context_, *store_, acquired_->ownership, publisher_.lane_ids(), {deadline, go_on});
    lost.note();
    publisher_.start(static_cast<std::size_t>(context_.topics.smallest_batch_limit()), deadline, go_on);
    fault_point("after-init");
    unmarked_topics_ = lost.write();
    const auto& marked = acquired_->marked;
    const auto tail =
        kafka::read_control(context_.options.kafka, context_.admin, context_.options.control_topic(), shard_,
                            marked.batch == 0 ? -1 : marked.offset, deadline, go_on);
    auto plan = plan_recovery(context_.identity.outbox_id, *acquired_, tail);
    if (const auto* stop = std::get_if<StopShard>(&plan)) {
        throw Error(Action::stop, stop->reason);
    }
    const auto& settle = std::get<Settle>(plan);
    if (settle.raise_epoch) {
        acquired_->ownership = store_->raise_epoch(acquired_->ownership);
    }
    const auto settled =
        store_->settle(acquired_->ownership, settle.rows, settle.newest, context_.options.block_failed_keys);
    fault_point("after-settle");
    acquired_->marked = settle.newest;
    next_batch_ = settle.newest.batch + 1;
    log::info("shard taken", {{"shard", shard_},
                              {"epoch", acquired_->ownership.epoch},
                              {"batch", settle.newest.batch},
                              {"settled_sent", settled.sent},
                              {"reset", settled.reset}});
    if (settled.seq_moved) {
        log::warn("events that Kafka has were lost by the database; its numbering was moved past them",
                  {{"shard", shard_}});
    }
}

void ShardWorker::stand_still(const std::string& reason) {
    log::error("shard stopped: an operator must act, then restart the relay",
               {{"shard", shard_}, {"reason", reason}});
    try {
        if (store_ && acquired_) {
            store_->note_stopped(acquired_->ownership, reason);
        }
    } catch (const std::exception& error) {
        log::error("the reason could not be written to outbox_shards",
                   {{"shard", shard_}, {"error", error.what()}});
    }
    publisher_.stop();
    while (!releasing()) {
        signal_.wait(Deadline::in(std::chrono::seconds(60)));
        try {
            check_doubt();
        } catch (const std::exception& error) {
            log::info("shard left to others", {{"shard", shard_}, {"reason", error.what()}});
            return;
        }
    }
}

void ShardWorker::operate() {
    Pending pending;
    idle_wait_ = milliseconds(1);
    next_look_ = {};
    next_tend_ = {};
    free_keys_.clear();
    noted_topics_.clear();
    quiet_since_ = SteadyClock::now();
    while (true) {
        check_doubt();
        check_unmarked();
        collect(pending);
        submit(pending);
        tend_waiting(pending);
        const bool worked = turn(pending);
        in_flight_ = pending.events();
        if (paused() && pending.idle() && !releasing()) {
            rest();
            continue;
        }
        if (releasing() && pending.idle()) {
            return;
        }
        if (!worked) {
            wait_for_work(pending);
        }
    }
}

void ShardWorker::collect(Pending& pending) {
    auto end = publisher_.take_end();
    if (!end) {
        return;
    }
    pending.publishing = nullptr;
    next_look_ = {}; // the turn that marks it claims as well
    if (end->end.failure) {
        on_failure(*end->batch, *end->end.failure);
        throw NeedsRecovery(end->end.failure->message);
    }
    failures_ = 0;
    event_limit_ = std::min(event_limit_ * 2, context_.options.claim.rows);
    if (end->end.strays) {
        throw NeedsRecovery("a request of the transaction was sent twice or not answered");
    }
    pending.published.emplace_back(*end);
}

void ShardWorker::submit(Pending& pending) {
    if (pending.ready && pending.publishing == nullptr) {
        pending.publishing = pending.ready.get();
        publisher_.submit(std::move(pending.ready));
    }
}

void ShardWorker::on_failure(const Batch& batch, const kafka::Failure& failure) {
    const auto& rows = batch.claimed.rows;
    const bool spoilt = failure.blame == kafka::Blame::record || failure.blame == kafka::Blame::topic;
    context_.topics.forget();
    if (failure.blame == kafka::Blame::fenced) {
        note_fencing();
    }
    if (spoilt && batch.dead_letter) {
        blamed_[rows.front().seq].no_dead_letter = failure.message;
    } else if (failure.blame == kafka::Blame::topic && one_topic(batch)) {
        context_.topics.refuse(std::string(batch.records.front().topic), {failure.code, failure.message});
    } else if (spoilt) {
        if (rows.size() == 1) {
            blamed_[rows.front().seq].refusal = {failure.code, failure.message};
            event_limit_ = context_.options.claim.rows;
        } else {
            event_limit_ = std::max<std::size_t>(1, rows.size() / 2);
        }
    }
}

void ShardWorker::note_fencing() {
    if (!store_->owns(acquired_->ownership)) {
        throw store::NotOwner("fenced by the new owner");
    }
    const auto now = SteadyClock::now();
    fencings_.push_back(now);
    while (fencings_.front() + std::chrono::minutes(1) < now) {
        fencings_.pop_front();
    }
    if (fencings_.size() > 3) {
        throw Error(Action::stop,
                    "fenced more than three times in a minute while still the owner: a second deployment"
                    " uses the same outbox (a copy of this database?)");
    }
}

void ShardWorker::wait_for_work(Pending& pending) {
    using namespace std::chrono_literals;
    constexpr milliseconds longest_poll = 10ms;
    constexpr milliseconds quiet_before_sleep = 300ms;
    if (!pending.idle()) {
        // Something is at the broker: its end rings. Look for more to send meanwhile, unhurriedly.
        if (pending.ready) {
            signal_.wait(Deadline::in(1s));
            return;
        }
        next_look_ = SteadyClock::now() + idle_wait_;
        idle_wait_ = std::min(idle_wait_ * 2, longest_poll);
        signal_.wait(Deadline::at(next_look_));
        return;
    }
    if (SteadyClock::now() - quiet_since_ >= quiet_before_sleep && store_->try_sleep()) {
        sleep_exactly();
        return;
    }
    signal_.wait(Deadline::in(idle_wait_));
    idle_wait_ = std::min(idle_wait_ * 2, longest_poll);
}

/// Holds the doorbell's locks, so every writer from now on rings. Polls once more, then waits.
void ShardWorker::sleep_exactly() {
    while (!rung_ && !releasing()) {
        const auto seen = store_->peek(left_out());
        const bool due = seen.next_attempt && seen.next_attempt->count() == 0;
        const bool tend = seen.blocked && SteadyClock::now() >= next_tend_;
        if (seen.work || due || tend) {
            break;
        }
        auto wait = context_.options.poll_interval;
        if (seen.next_attempt) {
            wait = std::min(wait, *seen.next_attempt);
        }
        if (!context_.topics.parked().empty() || !unmarked_topics_.empty()) {
            wait = std::min(wait, unmarked_pace);
        }
        signal_.wait(Deadline::in(wait));
        if (!unmarked_topics_.empty()) {
            break;
        }
    }
    store_->wake();
    idle_wait_ = milliseconds(1);
    quiet_since_ = SteadyClock::now();
}

/// Paused, with nothing in flight: says so where operators look, and claims nothing until the pause ends.
void ShardWorker::rest() {
    const auto note_quiet = [this](bool quiet) {
        store::Turn guarded(*store_, acquired_->ownership);
        guarded.note_quiet(quiet);
        guarded.commit();
    };
    note_quiet(true);
    log::info("shard paused", {{"shard", shard_}});
    while (paused() && !releasing()) {
        signal_.wait(Deadline::in(std::chrono::seconds(60)));
        check_doubt();
    }
    if (!releasing()) {
        note_quiet(false);
        log::info("shard resumed", {{"shard", shard_}});
    }
    next_look_ = {};
    idle_wait_ = milliseconds(1);
    quiet_since_ = SteadyClock::now();
}

} // namespace outbox::relay
