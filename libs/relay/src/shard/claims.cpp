#include "shard/claims.hpp"

#include "shard/attempts.hpp"

#include <outbox/faults/faults.hpp>
#include <outbox/store/refused.hpp>

#include <algorithm>
#include <utility>

namespace outbox::relay {
namespace {

/// Zero where clocks disagree, or nobody knows.
milliseconds waited_longest(const store::RowSet& claimed) {
    const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
        std::chrono::system_clock::now().time_since_epoch());
    std::int64_t oldest = now.count();
    for (const store::Row& row : claimed.rows) {
        oldest = std::min(oldest, std::max<std::int64_t>(0, row.created_at_us.value_or(oldest)));
    }
    return std::chrono::duration_cast<milliseconds>(now - std::chrono::microseconds(oldest));
}

/// What is locked may be so still, and meanwhile the others wait.
constexpr milliseconds wait_when_tried{200};

} // namespace

void Claims::begin() {
    refused_.reset();
    database().leave_out({});
}

store::ClaimLimits Claims::limits() const {
    store::ClaimLimits limits = settings_.limits;
    limits.rows = std::min(limits.rows, suspects_.most_rows());
    limits.rows_a_statement = suspects_.most_rows_a_statement();
    limits.bytes = budget_.share();
    if (refused_.tried()) {
        limits.lock_wait = wait_when_tried;
    }
    return limits;
}

bool Claims::is_much(const store::RowSet& claimed) const {
    const auto& most = settings_.limits.rows;
    return suspects_.most_rows() >= most &&
           (claimed.rows.size() >= most / 2 || claimed.bytes() >= budget_.share() / 2);
}

store::RowSet Claims::turn(const Pass& pass, const std::vector<std::string>& parked) {
    try {
        auto claimed = mark_and_claim(pass, parked);
        if (pass.claim && refused_.over()) {
            parts_.walk();
        }
        return claimed;
    } catch (const postgres::DatabaseError& error) {
        if (!pass.claim) {
            throw;
        }
        const bool perhaps =
            store::may_be_refused(error.sqlstate()) || store::may_be_locked(error.sqlstate());
        if (!perhaps || !leave_out_refused()) {
            look_for_unreadable(error);
        }
    }
    Pass mark_only = pass;
    mark_only.claim = false;
    pace_.look_now();
    return mark_and_claim(mark_only, parked);
}

store::RowSet Claims::mark_and_claim(const Pass& pass, const std::vector<std::string>& parked) {
    store::RowSet claimed;
    const auto guarded = database().begin(ownerships_);
    const auto began = SteadyClock::now();
    for (const Published& batch : pipeline_.proven()) {
        guarded->mark(batch.sent, batch.marks);
        guarded->fail(batch.dead_letters);
    }
    const auto marked = SteadyClock::now();
    if (pass.claim) {
        const auto in_flight = pipeline_.seqs();
        faults::point("before-claim");
        claimed = keys_.claim(*guarded, limits(), in_flight, parked);
        took_much_ = is_much(claimed);
    }
    const auto read = SteadyClock::now();
    guarded->commit(claimed);
    if (!claimed.empty()) {
        suspects_.claimed();
        unanswered_ = false;
    }
    tell_marked(marked - began);
    if (guarded->gone() > 0) {
        observer_.rows_changed({settings_.pipeline, guarded->gone()});
    }
    if (pass.claim) {
        observer_.claimed({settings_.pipeline, claimed.rows.size(), claimed.bytes(), read - marked,
                           SteadyClock::now() - read});
        observer_.lag({settings_.pipeline, waited_longest(claimed)});
    }
    return claimed;
}

void Claims::tell_marked(happened::Span took) const {
    const auto proven = pipeline_.proven();
    if (proven.empty()) {
        return;
    }
    std::size_t events = 0;
    for (const Published& batch : proven) {
        events += batch.sent.size() + batch.dead_letters.size();
    }
    observer_.marked({settings_.pipeline, proven.size(), events, took});
    for (const Published& batch : proven) {
        for (const store::ShardMark& mark : batch.marks) {
            observer_.control_lag({mark.shard, pipeline_.unmarked(mark.shard)});
        }
    }
}

/// @return whether some were found, and the session can go on
bool Claims::leave_out_refused() {
    const auto refused = session_.find_refused();
    if (refused.empty()) {
        return false;
    }
    leave_out(refused);
    return session_.usable();
}

/// @pre not empty
void Claims::leave_out(std::span<const store::UnreadableRow> rows) {
    const auto now = clock_.now();
    const auto word = refused_.leave_out(rows, now);
    database().leave_out(refused_.buckets());
    std::set<int> shards;
    for (const int bucket : refused_.buckets()) {
        shards.insert(bucket % settings_.shard_count);
    }
    parts_.limp(shards, word.why);
    pace_.look_now();
    observer_.held_up({settings_.pipeline, word.why, !word.worth_saying});
}

/// Rows that were too many for one statement are fewer next time. @return false: that is not it
bool Claims::claim_less(const postgres::DatabaseError& error) {
    if (store::suspect_of(error.sqlstate()) != store::Suspect::too_many || database().chose_content()) {
        return false;
    }
    // A server that restarts ends whatever is claimed just then; one that dies of it does so again.
    if (error.sqlstate().empty() && !std::exchange(unanswered_, true)) {
        return false;
    }
    if (!suspects_.claim_fewer()) {
        return false;
    }
    observer_.claim_too_large({settings_.pipeline, 0, suspects_.most_rows_a_statement(), error.what()});
    return true;
}

/// After a claim that failed. @throws the error, where nothing was found, or the connection is gone
void Claims::look_for_unreadable(const postgres::DatabaseError& error) {
    if (claim_less(error)) {
        if (!session_.usable()) {
            throw postgres::DatabaseError(error);
        }
        return;
    }
    // Without an answer the connection is gone, mostly with the server; large content that was waited for is
    // another matter.
    const bool lost = error.sqlstate().empty() && !database().chose_content();
    if (store::suspect_of(error.sqlstate()) == store::Suspect::nobody || lost) {
        throw postgres::DatabaseError(error);
    }
    suspects_.found_unreadable(session_.find_unreadable(), settings_.block_failed_keys);
    if (suspects_.unreadable().empty() || !session_.usable()) {
        throw postgres::DatabaseError(error);
    }
}

bool Claims::worth_a_turn(const std::vector<std::string>& parked) {
    const auto seen = database().peek(parked);
    if (!seen.work) {
        took_much_ = false;
        observer_.lag({settings_.pipeline});
    }
    return keys_.saw(seen) || seen.work;
}

void Claims::fail_unreadable() {
    if (suspects_.unreadable().empty()) {
        return;
    }
    std::vector<store::FailedAttempt> attempts;
    for (const store::UnreadableRow& row : suspects_.unreadable()) {
        attempts.push_back({.seq = row.seq,
                            .bucket = row.bucket,
                            .id = row.id,
                            .retry_count = row.retry_count + 1,
                            .give_up = true,
                            .block_key = settings_.block_failed_keys,
                            .error = row.why});
    }
    try {
        const auto guarded = database().begin(ownerships_);
        guarded->fail(attempts);
        guarded->commit();
    } catch (const postgres::DatabaseError& error) {
        if (store::suspect_of(error.sqlstate()) != store::Suspect::rows &&
            !store::may_be_refused(error.sqlstate())) {
            throw;
        }
        auto rows = suspects_.unreadable();
        for (auto& row : rows) { // damaged, or refused: they cannot be given up either
            row.why += "; nor can it be given up: " + error.reason();
        }
        leave_out(rows);
        suspects_.unreadable_settled();
        return;
    }
    suspects_.unreadable_settled();
    keys_.rows_wait();
    report_attempts(observer_, settings_.shard_count, attempts, {});
    for (const auto& attempt : attempts) {
        suspects_.forget(attempt.seq);
    }
}

void Claims::try_refused() {
    if (refused_.try_again(clock_.now())) {
        database().leave_out({});
        pace_.look_now();
    }
}

void Claims::skip_parked(const std::vector<std::string>& parked, bool again) {
    constexpr std::chrono::seconds pace{1};
    constexpr std::chrono::minutes trusted{1}; // somebody may have set old rows NEW by hand
    const auto now = clock_.now();
    if (again || now >= next_head_) {
        database().forget_skipped();
        next_head_ = now + trusted;
    }
    if (!parked.empty() && now >= next_skip_) {
        next_skip_ = now + pace;
        database().skip_parked(parked);
    }
}

void Claims::free_strays() {
    constexpr std::chrono::seconds pace{60};
    const auto now = clock_.now();
    if (now < next_strays_) {
        return;
    }
    next_strays_ = now + pace;
    const auto in_flight = pipeline_.seqs();
    if (!database().has_strays(in_flight)) {
        return;
    }
    try {
        const auto guarded = database().begin(ownerships_);
        const auto freed = guarded->free_strays(in_flight);
        guarded->commit();
        if (freed > 0) {
            observer_.strays_freed({settings_.pipeline, freed});
            keys_.rows_wait();
        }
    } catch (const postgres::DatabaseError& error) {
        if (!store::may_be_refused(error.sqlstate()) || !session_.usable()) {
            throw;
        }
        observer_.strays_stuck({settings_.pipeline, error.reason()});
    }
}

} // namespace outbox::relay
