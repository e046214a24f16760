#include "outbox/store/shard.hpp"
#include "outbox/store/sql.hpp"
#include "rows.hpp"

#include <outbox/telemetry/log.hpp>

#include <algorithm>
#include <unordered_map>

namespace outbox::store {
namespace {

using postgres::Format;
using postgres::Params;
using postgres::Result;
using postgres::Statement;

// One snapshot for the whole claim: a row that commits later with a smaller seq waits for the next claim,
// and so do the later events of its key.
constexpr Statement open_claim{
    "outbox_open_claim",
    "DECLARE outbox_claim NO SCROLL CURSOR FOR SELECT " OUTBOX_COLUMNS
    " FROM unnest($1::smallint[]) AS b(bucket) CROSS JOIN LATERAL (SELECT o.ctid, o.* FROM outbox_events AS o"
    " WHERE o.bucket = b.bucket AND " OUTBOX_NEW
    " AND o.seq <> ALL ($2::bigint[]) AND o.topic <> ALL ($3::text[]) AND NOT " OUTBOX_BLOCKED
    " ORDER BY o.seq) AS o"};

constexpr Statement to_processing{
    "outbox_to_processing",
    "UPDATE outbox_events AS o SET status = 'PROCESSING' WHERE o.ctid = ANY ($1::tid[])"
    " AND coalesce(o.status, 'NEW') = 'NEW' RETURNING o.seq, o.ctid"};

constexpr Statement mark_sent{
    "outbox_mark_sent",
    "UPDATE outbox_events AS o SET status = 'SENT', processed_at = clock_timestamp(), "
    "kafka_partition = m.partition,"
    " kafka_offset = m.kafka_offset, next_attempt_at = NULL, error_message = NULL"
    " FROM unnest($1::tid[], $2::bigint[], $3::integer[], $4::bigint[]) AS m(tid, seq, "
    "partition, kafka_offset)"
    " WHERE o.ctid = m.tid AND o.seq = m.seq AND " OUTBOX_STILL_UNSENT " RETURNING o.seq"};

// Rows that somebody changed while they were at the broker.
#define OUTBOX_MARK_MOVED                                                                                    \
    "UPDATE outbox_events AS o SET status = 'SENT', processed_at = clock_timestamp(),"                       \
    " kafka_partition = m.partition, kafka_offset = m.kafka_offset, next_attempt_at = NULL,"                 \
    " error_message = NULL FROM unnest($1::smallint[], $2::bigint[], $3::integer[], $4::bigint[])"           \
    " AS m(bucket, seq, partition, kafka_offset) WHERE o.bucket = m.bucket AND o.seq = m.seq AND "

constexpr Statement mark_moved_ready{"outbox_mark_moved_ready", OUTBOX_MARK_MOVED OUTBOX_READY};
constexpr Statement mark_moved_waiting{"outbox_mark_moved_waiting", OUTBOX_MARK_MOVED OUTBOX_WAITING};

constexpr Statement move_claimed{
    "outbox_move_claimed", "UPDATE outbox_shards SET claimed_seq = $2 WHERE shard = $1 AND claimed_seq < $2"};

constexpr Statement move_mark{
    "outbox_move_mark",
    "UPDATE outbox_shards SET marked_batch = $2, marked_offset = $3, marked_at = clock_timestamp()"
    " WHERE shard = $1"};

constexpr Statement write_quiet{"outbox_write_quiet",
                                "UPDATE outbox_shards SET quiet_epoch = CASE WHEN $2::boolean THEN epoch END"
                                " WHERE shard = $1"};

// Rows that wait block their keys.
#define OUTBOX_BLOCK_KEYS                                                                                    \
    " INSERT INTO outbox_blocked_keys (bucket, key) SELECT DISTINCT bucket, key FROM waiting"                \
    " ON CONFLICT DO NOTHING"

constexpr Statement fail_attempts{
    "outbox_fail_attempts",
    "WITH failed AS (UPDATE outbox_events AS o SET status = CASE WHEN m.give_up THEN 'FAILED' ELSE 'NEW' END,"
    " retry_count = m.retry_count, error_message = m.error,"
    " next_attempt_at = CASE WHEN NOT m.give_up THEN clock_timestamp() + m.wait_ms * interval '1 "
    "millisecond' END, processed_at = CASE WHEN m.give_up THEN clock_timestamp() END"
    " FROM unnest($1::tid[], $2::bigint[], $3::integer[], $4::boolean[], $5::bigint[], $6::text[], "
    "$7::boolean[])"
    " AS m(tid, seq, retry_count, give_up, wait_ms, error, block_key) WHERE o.ctid = m.tid AND o.seq = m.seq "
    "AND " OUTBOX_STILL_UNSENT " RETURNING o.bucket, " OUTBOX_KEY_OF(
        "o") " AS key, o.seq, m.give_up, m.block_key)"
             " INSERT INTO outbox_blocked_keys (bucket, key, failed_seq) SELECT bucket, key,"
             " CASE WHEN give_up THEN seq END FROM failed WHERE NOT give_up OR "
             "block_key" OUTBOX_BLOCK_FAILED_KEYS};

constexpr Statement fail_one{
    "outbox_fail_dead_lettered",
    "WITH failed AS (UPDATE outbox_events AS o SET status = 'FAILED', retry_count = $3, error_message = $4,"
    " next_attempt_at = NULL, processed_at = clock_timestamp() WHERE o.bucket = $1 AND o.seq = $2 "
    "AND " OUTBOX_READY
    " RETURNING o.bucket, " OUTBOX_KEY_OF("o") " AS key, o.seq) INSERT INTO outbox_blocked_keys (bucket, "
                                               "key, failed_seq) SELECT bucket, key, seq"
                                               " FROM failed WHERE $5::boolean" OUTBOX_BLOCK_FAILED_KEYS};

constexpr Statement to_new{"outbox_to_new",
                           "UPDATE outbox_events AS o SET " OUTBOX_BACK " WHERE o.ctid = ANY ($1::tid[])"
                           " AND o.status = 'PROCESSING'"};

constexpr Statement to_due{"outbox_to_due",
                           "WITH waiting AS (UPDATE outbox_events AS o SET status = 'NEW', next_attempt_at = "
                           "clock_timestamp() WHERE o.ctid = ANY ($1::tid[]) AND " OUTBOX_STILL_UNSENT
                           " RETURNING o.bucket, " OUTBOX_KEY_OF("o") " AS key)" OUTBOX_BLOCK_KEYS};

/// Leaves a record in the log, so that the commit flushes everything the claim could see.
constexpr Statement log_claim{"outbox_log_claim", "SELECT pg_logical_emit_message(true, 'outbox', '')"};

std::string guard(const Ownership& ownership) {
    return fmt::format("BEGIN; SELECT pg_advisory_xact_lock_shared({0}, {1});"
                       " SELECT epoch FROM outbox_shards WHERE shard = {1} AND owner = '{2}' AND epoch = {3}",
                       shard_locks, ownership.shard, ownership.relay.to_string(), ownership.epoch);
}

template <class Rows>
std::string tids(const Rows& rows) {
    return array_of(rows, [](std::string& text, const auto& row) { print_tid(text, row.tid); });
}

template <class Rows, class Member>
std::string column(const Rows& rows, Member member) {
    return array_of(rows, [member](std::string& text, const auto& row) {
        fmt::format_to(std::back_inserter(text), "{}", row.*member);
    });
}

} // namespace

Turn::Turn(ShardStore& store, const Ownership& ownership)
    : store_(store),
      transaction_(store.connection_, Deadline::in(store.timeout_), guard(ownership)) {
    if (transaction_.begun().back().empty()) {
        throw NotOwner(
            fmt::format("shard {} is not owned under epoch {} any more", ownership.shard, ownership.epoch));
    }
}

std::size_t Turn::mark(std::span<const SentRow> rows, const MarkedUpTo& marked) {
    written_ = true;
    transaction_.run(move_mark, {store_.shard_, marked.batch, marked.offset});
    if (rows.empty()) {
        return 0;
    }
    const Result done =
        transaction_.run(mark_sent, {tids(rows), column(rows, &SentRow::seq),
                                     column(rows, &SentRow::partition), column(rows, &SentRow::offset)});
    if (static_cast<std::size_t>(done.rows()) == rows.size()) {
        return 0;
    }
    std::unordered_map<std::int64_t, bool> found;
    for (int i = 0; i < done.rows(); ++i) {
        found[done.integer(i, 0)] = true;
    }
    std::vector<SentRow> moved;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(moved),
                 [&](const SentRow& row) { return !found.contains(row.seq); });
    const Params named{column(moved, &SentRow::bucket), column(moved, &SentRow::seq),
                       column(moved, &SentRow::partition), column(moved, &SentRow::offset)};
    const auto late = transaction_.run(mark_moved_ready, named).affected() +
                      transaction_.run(mark_moved_waiting, named).affected();
    return moved.size() - static_cast<std::size_t>(late);
}

void Turn::mark_processing(RowSet& claimed, std::size_t from) {
    const std::span fresh(claimed.rows.begin() + static_cast<std::ptrdiff_t>(from), claimed.rows.end());
    const Result updated = transaction_.run(to_processing, {tids(fresh)}, Format::binary);
    std::unordered_map<std::int64_t, Tid> where;
    where.reserve(fresh.size());
    for (int i = 0; i < updated.rows(); ++i) {
        where.emplace(updated.integer(i, 0), tid_of(updated.bytes(i, 1)));
    }
    for (Row& row : fresh) {
        if (const auto found = where.find(row.seq); found != where.end()) {
            row.tid = found->second;
        } else {
            row.seq = 0; // changed by somebody else in between
        }
    }
    std::erase_if(claimed.rows, [](const Row& row) { return row.seq == 0; });
}

void Turn::note_processing(const RowSet& claimed) {
    if (claimed.empty()) {
        return;
    }
    written_ = true;
    const auto newest = std::max_element(claimed.rows.begin(), claimed.rows.end(),
                                         [](const Row& a, const Row& b) { return a.seq < b.seq; });
    transaction_.run(move_claimed, {store_.shard_, newest->seq});
}

RowSet Turn::fetch(const ClaimLimits& limits) {
    RowSet claimed;
    std::size_t bytes = 0;
    const std::string statement =
        fmt::format("FETCH {} FROM outbox_claim", std::min(limits.rows_a_statement, limits.rows));
    while (claimed.rows.size() < limits.rows && bytes < limits.bytes) {
        Result fetched =
            store_.connection_.query(statement, {}, Deadline::in(store_.timeout_), Format::binary);
        const auto count = static_cast<std::size_t>(fetched.rows());
        const std::size_t from = claimed.rows.size();
        for (int i = 0; i < fetched.rows(); ++i) {
            claimed.rows.push_back(row_of(fetched, i));
            bytes += claimed.rows.back().bytes();
        }
        if (count > 0) {
            claimed.storage.push_back(std::move(fetched));
            if (limits.track_processing) {
                mark_processing(claimed, from);
            }
        }
        if (count < limits.rows_a_statement) {
            break;
        }
    }
    transaction_.query("CLOSE outbox_claim");
    claimed_ = claimed_ || !claimed.empty();
    if (limits.track_processing) {
        note_processing(claimed);
    }
    return claimed;
}

RowSet Turn::claim(const ClaimLimits& limits, std::span<const std::int64_t> in_flight,
                   std::span<const std::string> parked_topics) {
    auto& buckets = store_.buckets_;
    std::rotate(buckets.begin(), buckets.begin() + 1, buckets.end()); // no bucket is always first
    transaction_.run(open_claim, {numbers(buckets), numbers(in_flight), texts(parked_topics)});
    return fetch(limits);
}

void Turn::fail(std::span<const FailedAttempt> attempts) {
    if (attempts.empty()) {
        return;
    }
    written_ = true;
    std::vector<std::string_view> errors;
    std::vector<const char*> given_up;
    std::vector<const char*> block_key;
    std::vector<std::int64_t> waits;
    for (const FailedAttempt& attempt : attempts) {
        errors.emplace_back(attempt.error);
        given_up.push_back(attempt.give_up ? "t" : "f");
        block_key.push_back(attempt.block_key ? "t" : "f");
        waits.push_back(attempt.wait.count());
    }
    transaction_.run(fail_attempts, {tids(attempts), column(attempts, &FailedAttempt::seq),
                                     column(attempts, &FailedAttempt::retry_count), numbers(given_up),
                                     numbers(waits), texts(errors), numbers(block_key)});
}

void Turn::fail_dead_lettered(std::int16_t bucket, const FailedAttempt& attempt) {
    written_ = true;
    transaction_.run(
        fail_one, {bucket, attempt.seq, attempt.retry_count, attempt.error, attempt.block_key ? "t" : "f"});
}

void Turn::put_back(std::span<const Row> rows) {
    if (!rows.empty()) {
        written_ = true;
        transaction_.run(to_new, {tids(rows)});
    }
}

void Turn::postpone(std::span<const Row> rows) {
    if (!rows.empty()) {
        written_ = true;
        transaction_.run(to_due, {tids(rows)});
    }
}

void Turn::note_quiet(bool quiet) {
    written_ = true;
    transaction_.run(write_quiet, {store_.shard_, quiet ? "t" : "f"});
}

void Turn::commit() {
    if (claimed_ && !written_) {
        transaction_.run(log_claim, {});
    }
    transaction_.commit();
}

} // namespace outbox::store
