// Events that the database does not let a relay change: a trigger or a constraint of the user's refuses the
// update, or whose state somebody has changed.
#include "shard/pending.hpp"
#include "shard/worker.hpp"

#include <outbox/core/event.hpp>
#include <outbox/store/refused.hpp>
#include <outbox/telemetry/log.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace outbox::relay {
namespace {

constexpr std::chrono::seconds tried_again{2};

} // namespace

/// They can be neither sent nor given up. Their buckets wait, so that no later event of their keys overtakes
/// them; all others go on. @return whether some were found
bool ShardWorker::leave_out_refused() {
    const auto refused = store::find_refused([this] { return open_session(); }, store_->choice(),
                                             context_.options.statement_timeout);
    if (refused.empty()) {
        return false;
    }
    leave_out(refused);
    return connection_->usable();
}

/// @pre not empty
void ShardWorker::leave_out(std::span<const store::UnreadableRow> rows) {
    const auto now = SteadyClock::now();
    for (const store::UnreadableRow& row : rows) {
        refused_buckets_.insert(row.bucket);
    }
    store_->leave_out(refused_buckets_);
    next_refused_try_ = now + tried_again;
    const store::UnreadableRow& first = rows.front();
    const auto why =
        fmt::format("event {} of outbox_events (seq {}) cannot be changed, so it waits with all keys of its "
                    "bucket ({} of the {} buckets wait): {}",
                    first.id.to_string(), first.seq, refused_buckets_.size(), bucket_count, first.why);
    hindrance_.limps(why, now);
    pace_.look_now();
    if (refusals_.worth_saying(why, now)) {
        log::error("an event waits: it goes on by itself once this is mended",
                   {{"shard", shard_}, {"reason", why}});
    }
}

/// Until then nothing is due.
std::optional<milliseconds> ShardWorker::until_refused_are_tried() const {
    if (refused_buckets_.empty()) {
        return std::nullopt;
    }
    const auto left = std::chrono::ceil<milliseconds>(next_refused_try_ - SteadyClock::now());
    return std::max(left, milliseconds(0));
}

/// Now and then they are claimed again.
void ShardWorker::try_refused() {
    if (refused_buckets_.empty() || SteadyClock::now() < next_refused_try_) {
        return;
    }
    refused_buckets_.clear();
    store_->leave_out({});
    tries_refused_ = true;
    pace_.look_now();
}

/// After a claim that nothing was refused of.
void ShardWorker::refusals_over() {
    if (tries_refused_ && refused_buckets_.empty()) {
        hindrance_.walks();
    }
    tries_refused_ = false;
}

void ShardWorker::fail_unreadable() {
    if (unreadable_.empty()) {
        return;
    }
    std::vector<store::FailedAttempt> attempts;
    for (const store::UnreadableRow& row : unreadable_) {
        attempts.push_back({.seq = row.seq,
                            .id = row.id,
                            .retry_count = row.retry_count + 1,
                            .give_up = true,
                            .block_key = context_.options.block_failed_keys,
                            .error = row.why});
    }
    try {
        store::Turn guarded(*store_, acquired_->ownership);
        guarded.fail(attempts);
        guarded.commit();
    } catch (const postgres::DatabaseError& error) {
        if (store::suspect_of(error.sqlstate()) != store::Suspect::rows &&
            !store::may_be_refused(error.sqlstate())) {
            throw;
        }
        for (auto& row : unreadable_) { // damaged, or refused: they cannot be given up either
            row.why += "; nor can it be given up: " + error.reason();
        }
        leave_out(unreadable_);
        unreadable_.clear();
        return;
    }
    unreadable_.clear();
    next_tend_ = {};
    waiting_ = true;
    for (const auto& attempt : attempts) {
        note_attempt(attempt, {});
    }
}

/// Now and then, for rows whose state somebody has set by hand.
void ShardWorker::free_strays() {
    constexpr std::chrono::seconds pace{60};
    if (SteadyClock::now() < next_strays_) {
        return;
    }
    next_strays_ = SteadyClock::now() + pace;
    const auto in_flight = pending_->seqs();
    if (!store_->has_strays(in_flight)) {
        return;
    }
    try {
        store::Turn guarded(*store_, acquired_->ownership);
        const auto freed = guarded.free_strays(in_flight);
        guarded.commit();
        if (freed > 0) {
            log::warn(
                "events were PROCESSING or held aside by somebody else's hand: they are sent like others",
                {{"shard", shard_}, {"events", freed}});
            next_tend_ = {};
            waiting_ = true;
        }
    } catch (const postgres::DatabaseError& error) {
        if (!store::may_be_refused(error.sqlstate()) || !connection_->usable()) {
            throw;
        }
        log::warn("events that are PROCESSING by somebody else's hand cannot be changed",
                  {{"shard", shard_}, {"reason", error.reason()}});
    }
}

} // namespace outbox::relay
