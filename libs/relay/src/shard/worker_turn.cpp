// One turn of a shard: marks what Kafka has, claims what comes next, makes a batch of it.
#include "outbox/delivery/retry_policy.hpp"
#include "shard/pending.hpp"
#include "shard/worker.hpp"

#include <outbox/faults/faults.hpp>
#include <outbox/store/refused.hpp>
#include <outbox/telemetry/log.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace outbox::relay {
namespace {

/// Their keys cannot be told apart where they cannot be read.
void keep_first_of_buckets(std::vector<store::UnreadableRow>& rows) {
    std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) {
        return a.bucket != b.bucket ? a.bucket < b.bucket : a.seq < b.seq;
    });
    rows.erase(std::unique(rows.begin(), rows.end(),
                           [](const auto& a, const auto& b) { return a.bucket == b.bucket; }),
               rows.end());
}

} // namespace

store::ClaimLimits ShardWorker::limits() const {
    store::ClaimLimits limits = context_.options.claim;
    limits.rows = std::min(limits.rows, batch_limit_.now());
    limits.rows_a_statement = claim_limit_.now();
    limits.bytes = context_.budget.share();
    return limits;
}

/// Nothing is claimed for topics that take nothing, with a marker still to be written, or paused.
delivery::LeftOut ShardWorker::left_out() {
    delivery::LeftOut out = context_.topics.left_out(shard_);
    for (const auto& [topic, row_topics] : unmarked_topics_) {
        out.topics.insert(topic);
        out.row_topics.insert(out.row_topics.end(), row_topics.begin(), row_topics.end());
    }
    const auto paused = context_.pauses.topics();
    out.row_topics.insert(out.row_topics.end(), paused.begin(), paused.end());
    return out;
}

/// Ready rows and waiting ones take turns: neither keeps the other from being sent.
store::RowSet ShardWorker::claim(store::Turn& guarded, const std::vector<std::int64_t>& in_flight,
                                 const std::vector<std::string>& parked) {
    store::RowSet claimed;
    if (!waiting_ || std::exchange(ready_first_, false)) {
        claimed = guarded.claim(limits(), in_flight, parked);
        if (!waiting_ || !claimed.empty()) {
            return claimed;
        }
    }
    claimed = guarded.claim_due(parked);
    while (claimed.empty() && !free_keys_.empty()) {
        claimed = guarded.claim_held(free_keys_.front(), limits(), parked);
        if (claimed.empty()) {
            free_keys_.pop_front();
        }
    }
    if (claimed.empty()) {
        return guarded.claim(limits(), in_flight, parked);
    }
    ready_first_ = true;
    return claimed;
}

/// For what may be found, when it is time to look.
delivery::ClaimBudget::Held ShardWorker::room() {
    if (!pace_.look_due(SteadyClock::now()) || pending_->published.size() >= Pending::most_published) {
        return {};
    }
    return pending_->publishing != nullptr ? context_.budget.hold_ahead() : context_.budget.hold();
}

/// Marks what Kafka has and claims what comes next. @return whether there was work
bool ShardWorker::turn(const Wishes& wished) {
    fail_unreadable();
    try_refused();
    auto held = room();
    const Pass pass = ShardMachine::plan_pass(pending_->in_hand(), wished, static_cast<bool>(held));
    if (pass.nothing()) {
        return false;
    }
    const delivery::LeftOut out = left_out();
    skip_parked(out.row_topics);
    free_strays();
    if (pass.peek_first && !worth_a_claim(out.row_topics)) {
        return false;
    }
    faults::point("before-mark");
    store::RowSet claimed = mark_or_find_unreadable(pass, out.row_topics);
    faults::point(claimed.empty() ? "after-mark" : "after-claim");
    forget_published();
    if (!claimed.empty()) {
        build(std::move(claimed), std::move(held), out);
        pace_.busy(SteadyClock::now());
        return true;
    }
    return pass.mark;
}

/// A million events of a parked topic may lie before those of the others.
void ShardWorker::skip_parked(const std::vector<std::string>& parked) {
    constexpr std::chrono::seconds pace{1};
    constexpr std::chrono::minutes trusted{1}; // somebody may have set old rows NEW by hand
    const auto now = SteadyClock::now();
    if (looks_again_.exchange(false) || now >= next_head_) {
        store_->forget_skipped();
        next_head_ = now + trusted;
    }
    if (!parked.empty() && now >= next_skip_) {
        next_skip_ = now + pace;
        store_->skip_parked(parked);
    }
}

bool ShardWorker::worth_a_claim(const std::vector<std::string>& parked) {
    const auto seen = store_->peek(parked);
    waiting_ = waiting_ || seen.blocked || seen.next_attempt;
    const bool due = seen.next_attempt && seen.next_attempt->count() == 0;
    return seen.work || due || !free_keys_.empty();
}

/// In one guarded transaction.
store::RowSet ShardWorker::mark_and_claim(const Pass& pass, const std::vector<std::string>& parked) {
    store::RowSet claimed;
    store::Turn guarded(*store_, acquired_->ownership);
    for (const Published& batch : pending_->proven()) {
        guarded.mark(batch.sent, batch.marked);
        guarded.fail(batch.dead_letters);
    }
    if (pass.claim) {
        const auto in_flight = pending_->seqs();
        faults::point("before-claim");
        claimed = claim(guarded, in_flight, parked);
    }
    guarded.commit(claimed);
    if (!claimed.empty()) {
        claim_limit_.took();
    }
    if (guarded.gone() > 0) {
        log::error("events that were sent are not unsent rows any more: somebody changed them",
                   {{"shard", shard_}, {"rows", guarded.gone()}});
    }
    return claimed;
}

/// After a claim that failed. Rows that were too many for one statement are fewer next time.
/// @throws the error, where nothing was found, or the connection is gone
void ShardWorker::look_for_unreadable(const postgres::DatabaseError& error) {
    const auto suspect = store::suspect_of(error.sqlstate());
    const bool fewer_may_do = claim_limit_.now() > 1 && !store_->choice().content;
    if (suspect == store::Suspect::too_many && fewer_may_do) {
        claim_limit_.too_many();
        log::warn("a claim took too much; the next one asks for fewer events at once",
                  {{"shard", shard_}, {"next", claim_limit_.now()}, {"reason", error.what()}});
        if (!connection_->usable()) {
            throw postgres::DatabaseError(error);
        }
        return;
    }
    // Without an answer the connection is gone, mostly with the server; large content that was waited for is
    // another matter.
    const bool lost = error.sqlstate().empty() && !store_->choice().content;
    if (suspect == store::Suspect::nobody || lost) {
        throw postgres::DatabaseError(error);
    }
    unreadable_ = store::find_unreadable([this] { return open_session(); }, store_->choice(),
                                         context_.options.statement_timeout);
    if (context_.options.block_failed_keys) {
        keep_first_of_buckets(unreadable_); // the others of its key wait for the operator
    }
    if (unreadable_.empty() || !connection_->usable()) {
        throw postgres::DatabaseError(error);
    }
}

/// A claim may meet an event that the server cannot hand out, and then it has none of the others either: that
/// event alone is given up. What Kafka has is marked all the same.
store::RowSet ShardWorker::mark_or_find_unreadable(const Pass& pass, const std::vector<std::string>& parked) {
    try {
        auto claimed = mark_and_claim(pass, parked);
        if (pass.claim) {
            refusals_over();
        }
        return claimed;
    } catch (const postgres::DatabaseError& error) {
        if (!pass.claim) {
            throw;
        }
        if (!store::may_be_refused(error.sqlstate()) || !leave_out_refused()) {
            look_for_unreadable(error);
        }
    }
    Pass mark_only = pass;
    mark_only.claim = false;
    pace_.look_now();
    return mark_and_claim(mark_only, parked);
}

/// What was published is marked.
void ShardWorker::forget_published() {
    const auto marked = pending_->proven();
    for (const Published& batch : marked) {
        if (batch.retried) {
            next_tend_ = {}; // its followers need not wait any more
        }
        if (!batch.dead_letters.empty()) {
            next_tend_ = {};
            waiting_ = true;
            note_attempts(batch.dead_letters, context_.options.dead_letter_topic);
        }
    }
    pending_->published.erase(pending_->published.begin(),
                              pending_->published.begin() + static_cast<std::ptrdiff_t>(marked.size()));
}

/// Later events of blocked keys are held aside; keys that need wait no more are noted for the next claims.
void ShardWorker::tend_waiting() {
    const bool rung = rung_.exchange(false); // perhaps by an operator who settled what a key waits for
    if (!rung && SteadyClock::now() < next_tend_) {
        return;
    }
    next_tend_ = SteadyClock::now() + std::chrono::seconds(1);
    free_keys_.clear();
    const auto in_flight = pending_->seqs();
    const auto buckets = store_->waiting_buckets();
    waiting_ = !buckets.empty();
    for (const int bucket : buckets) {
        store::Turn guarded(*store_, acquired_->ownership);
        if (guarded.hold_followers(bucket, in_flight) == store::hold_limit) {
            next_tend_ = {}; // there are more
        }
        const auto free = guarded.sort_blocked(bucket);
        guarded.commit();
        free_keys_.insert(free_keys_.end(), free.begin(), free.end());
    }
}

void ShardWorker::write_refusals(const BuiltBatch& built) {
    if (built.failed.empty() && built.skipped.empty() && built.put_back.empty() && built.postponed.empty()) {
        return;
    }
    faults::point("before-refusals");
    store::Turn guarded(*store_, acquired_->ownership);
    guarded.fail(built.failed);
    guarded.skip(built.skipped);
    guarded.put_back(built.put_back);
    guarded.postpone(built.postponed);
    guarded.commit();
    faults::point("after-refusals");
    next_tend_ = {};
    waiting_ = true;
    note_attempts(built.failed, {});
}

/// Events that are given up with their topic are many: they are counted.
void ShardWorker::note_attempts(std::span<const store::FailedAttempt> attempts,
                                const std::string& dead_letter_topic) {
    const store::FailedAttempt* last = nullptr;
    std::int64_t with_topic = 0;
    for (const store::FailedAttempt& attempt : attempts) {
        if (attempt.outage) {
            last = &attempt;
            ++with_topic;
        } else {
            note_attempt(attempt, dead_letter_topic);
        }
    }
    if (last != nullptr) {
        log::error("events given up with their topic: they are FAILED",
                   {{"shard", shard_},
                    {"events", with_topic},
                    {"last", last->id.to_string()},
                    {"error", last->error},
                    {"dead_letter_topic", dead_letter_topic}});
    }
}

/// Recovery must find every partition that this shard ever wrote to.
void ShardWorker::note_topics(const delivery::Batch& batch) {
    std::string_view last;
    for (const kafka::Record& record : batch.records) {
        if (record.topic == last) {
            continue;
        }
        last = record.topic;
        if (!noted_topics_.contains(last)) {
            store_->note_topic(std::string(last));
            noted_topics_.emplace(last);
        }
    }
}

void ShardWorker::note_attempt(const store::FailedAttempt& attempt, const std::string& dead_letter_topic) {
    const log::Fields fields{{"shard", shard_},        {"event", attempt.id.to_string()},
                             {"seq", attempt.seq},     {"attempt", attempt.retry_count},
                             {"error", attempt.error}, {"dead_letter_topic", dead_letter_topic}};
    if (!attempt.give_up) {
        log::warn("event could not be sent; it is tried again", fields);
    } else if (attempt.block_key) {
        log::error("event given up: it is FAILED and its key waits for an operator", fields);
    } else {
        log::error("event given up: it is FAILED and its key goes on", fields);
    }
    blamed_.erase(attempt.seq);
}

void ShardWorker::note_parked(const BuiltBatch& built) {
    for (const auto& [topic, row_topic] : built.parked) {
        if (const auto unmarked = unmarked_topics_.find(topic); unmarked != unmarked_topics_.end()) {
            unmarked->second.insert(row_topic);
        } else {
            context_.topics.note_parked(topic, row_topic, shard_);
        }
    }
}

/// A manifest alone. Once a shard's first one is marked, a control topic that was lost is missed; a later one
/// shows whether the control topic takes records.
std::unique_ptr<delivery::Batch> ShardWorker::empty_batch() {
    auto batch = std::make_unique<delivery::Batch>();
    identify(*batch);
    BatchBuilder(context_, shard_, blamed_, {}).add_manifest(*batch, acquired_->ownership, next_batch_++);
    return batch;
}

/// Claimed rows -> a batch; rows that cannot be sent are written back, and so are the later rows of their
/// keys.
void ShardWorker::build(store::RowSet claimed, delivery::ClaimBudget::Held held,
                        const delivery::LeftOut& left_out) {
    held.shrink_to(claimed.bytes());
    BatchBuilder builder(context_, shard_, blamed_, left_out);
    auto built = builder.build(std::move(claimed), Deadline::in(milliseconds(10'000)));
    note_parked(built);
    write_refusals(built);
    if (!built.batch) {
        return;
    }
    note_topics(*built.batch);
    identify(*built.batch);
    built.batch->held = std::move(held);
    builder.add_manifest(*built.batch, acquired_->ownership, next_batch_++);
    pending_->ready = std::move(built.batch);
    submit();
}

} // namespace outbox::relay
