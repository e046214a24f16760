#include "effect.hpp"
#include "outbox/store/shard.hpp"
#include "outbox/store/sql.hpp"
#include "rows.hpp"

#include <outbox/core/text.hpp>
#include <outbox/telemetry/log.hpp>

#include <algorithm>
#include <iterator>
#include <unordered_map>

namespace outbox::store {
namespace {

using postgres::Answer;
using postgres::Format;
using postgres::Params;
using postgres::Result;
using postgres::Statement;

// One snapshot for the whole claim: a row that commits later with a smaller seq waits for the next claim,
// and so do the later events of its key. Most buckets have no blocked key, so rows are compared only where
// one is.
#define OUTBOX_CLAIM_OF(columns)                                                                             \
    "SELECT " columns " FROM (SELECT u.bucket, u.floor, EXISTS (SELECT 1 FROM outbox_blocked_keys AS k"      \
    " WHERE k.bucket = u.bucket) AS has_blocked"                                                             \
    " FROM unnest($1::smallint[], $4::bigint[]) AS u(bucket, floor) OFFSET 0) AS b CROSS JOIN LATERAL"       \
    " (SELECT o.ctid, o.* FROM outbox_events AS o WHERE o.bucket = b.bucket AND o.seq > b.floor"             \
    " AND " OUTBOX_NEW " AND o.seq <> ALL ($2::bigint[]) AND o.topic <> ALL ($3::text[])"                    \
    " AND NOT (b.has_blocked AND " OUTBOX_BLOCKED ") ORDER BY o.seq) AS o"
#define OUTBOX_CLAIM OUTBOX_CLAIM_OF(OUTBOX_COLUMNS)

/// The places of rows are places in it.
#define OUTBOX_TABLE_FILE "coalesce(pg_relation_filenode('outbox_events'::regclass)::bigint, 0)"

constexpr Statement claim_statement{"outbox_claim_some", OUTBOX_CLAIM " LIMIT $5"};
/// Of a single row.
constexpr Statement claim_one{"outbox_claim_one", OUTBOX_CLAIM_OF(OUTBOX_BARE_COLUMNS) " LIMIT $5"};
constexpr Statement choose_ready{"outbox_choose_ready", OUTBOX_CLAIM_OF(OUTBOX_IDENTITY) " LIMIT $5"};
constexpr Statement open_claim{"outbox_open_claim",
                               "DECLARE outbox_claim NO SCROLL CURSOR FOR " OUTBOX_CLAIM};
constexpr Statement close_claim{"outbox_close_claim", "CLOSE outbox_claim"};

constexpr Statement to_processing{
    "outbox_to_processing",
    "UPDATE outbox_events AS o SET status = 'PROCESSING' WHERE o.ctid = ANY ($1::tid[])"
    " AND coalesce(o.status, 'NEW') = 'NEW' RETURNING o.seq, o.ctid"};

// What triggers left of an update is what RETURNING has; how many rows were "affected" says less.
#define OUTBOX_COUNT_SENT(update)                                                                            \
    "WITH done AS (" update " RETURNING o.status) SELECT count(*) FROM done WHERE status = 'SENT'"

constexpr Statement mark_sent{
    "outbox_mark_sent",
    OUTBOX_COUNT_SENT("UPDATE outbox_events AS o SET status = 'SENT', processed_at = clock_timestamp(), "
                      "kafka_partition = m.partition,"
                      " kafka_offset = m.kafka_offset, next_attempt_at = NULL, error_message = NULL"
                      " FROM unnest($1::tid[], $2::bigint[], $3::integer[], $4::bigint[]) AS m(tid, seq, "
                      "partition, kafka_offset)"
                      " WHERE o.ctid = m.tid AND o.seq = m.seq AND " OUTBOX_STILL_UNSENT
                      // After a TRUNCATE other events may have the same places and numbers.
                      " AND " OUTBOX_TABLE_FILE " = $5::bigint")};

// Rows that somebody changed while they were at the broker, perhaps their key, or whose table was rewritten.
constexpr Statement mark_moved_sent{
    "outbox_mark_moved",
    OUTBOX_COUNT_SENT(
        "UPDATE outbox_events AS o SET status = 'SENT', processed_at = clock_timestamp(),"
        " kafka_partition = m.partition, kafka_offset = m.kafka_offset, next_attempt_at = NULL,"
        " error_message = NULL FROM unnest($1::uuid[], $2::bigint[], $3::integer[], $4::bigint[])"
        " AS m(id, seq, partition, kafka_offset) WHERE o.id = m.id AND o.seq = m.seq "
        "AND " OUTBOX_STILL_UNSENT)};

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

// These find their rows by id, which stays when somebody else's change moves a row.
constexpr Statement fail_attempts{
    "outbox_fail_attempts",
    "WITH failed AS (UPDATE outbox_events AS o SET status = CASE WHEN m.give_up THEN 'FAILED' ELSE 'NEW' END,"
    " retry_count = m.retry_count, error_message = m.error,"
    " next_attempt_at = CASE WHEN NOT m.give_up THEN clock_timestamp() + m.wait_ms * interval '1 "
    "millisecond' END, processed_at = CASE WHEN m.give_up THEN clock_timestamp() END"
    " FROM unnest($1::uuid[], $2::integer[], $3::boolean[], $4::bigint[], $5::text[], $6::boolean[])"
    " AS m(id, retry_count, give_up, wait_ms, error, block_key) WHERE o.id = m.id "
    "AND " OUTBOX_STILL_UNSENT " RETURNING o.bucket, " OUTBOX_KEY_OF(
        "o") " AS key, o.seq, m.give_up, m.block_key)"
             " INSERT INTO outbox_blocked_keys (bucket, key, failed_seq) SELECT bucket, key,"
             " CASE WHEN give_up THEN seq END FROM failed WHERE NOT give_up OR "
             "block_key" OUTBOX_BLOCK_FAILED_KEYS};

constexpr Statement to_skipped{
    "outbox_to_skipped", "UPDATE outbox_events AS o SET status = 'SKIPPED', processed_at = "
                         "clock_timestamp(), error_message = m.reason"
                         " FROM unnest($1::smallint[], $2::bigint[], $3::text[]) AS m(bucket, seq, reason)"
                         " WHERE o.bucket = m.bucket AND o.seq = m.seq AND " OUTBOX_READY};

constexpr Statement to_new{"outbox_to_new",
                           "UPDATE outbox_events AS o SET " OUTBOX_BACK " WHERE o.id = ANY ($1::uuid[])"
                           " AND o.status = 'PROCESSING'"};

constexpr Statement to_due{"outbox_to_due",
                           "WITH waiting AS (UPDATE outbox_events AS o SET status = 'NEW', next_attempt_at = "
                           "clock_timestamp() WHERE o.id = ANY ($1::uuid[]) AND " OUTBOX_STILL_UNSENT
                           " RETURNING o.bucket, " OUTBOX_KEY_OF("o") " AS key)" OUTBOX_BLOCK_KEYS};

constexpr Statement choose_these{"outbox_choose_these",
                                 "SELECT " OUTBOX_IDENTITY
                                 " FROM outbox_events AS o WHERE o.ctid = ANY ($1::tid[])"};
constexpr Statement read_content{"outbox_read_content", OUTBOX_READ_CONTENT};

/// Leaves a record in the log, so that the commit flushes everything the claim could see.
constexpr Statement log_claim{"outbox_log_claim", "SELECT pg_logical_emit_message(true, 'outbox', '')"};

constexpr Statement lock_shard{"outbox_lock_shard",
                               "SELECT pg_advisory_xact_lock_shared(" OUTBOX_SHARD_LOCK("$1::integer") ")"};
constexpr Statement check_owner{"outbox_check_owner",
                                "SELECT " OUTBOX_TABLE_FILE
                                " FROM outbox_shards WHERE shard = $1 AND owner = $2 AND epoch = $3"};

/// Statements that a claim sends ahead of the answers; bounds what it takes beyond its bytes.
constexpr std::size_t most_ahead = 8;

template <class Rows>
std::string tids(const Rows& rows) {
    return array_of(rows, [](std::string& text, const auto& row) { print_tid(text, row.tid); });
}

template <class Rows>
std::string ids(const Rows& rows) {
    return array_of(rows, [](std::string& text, const auto& row) { text += row.id.to_string(); });
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
      ownership_(ownership),
      transaction_(postgres::Transaction::lazy(store.connection_, Deadline::in(store.timeout_))) {
    transaction_.add(lock_shard, {ownership.shard}, Answer::with_commit);
    transaction_.add(check_owner, {ownership.shard, ownership.relay, ownership.epoch}, Answer::before_commit,
                     [this, ownership](const Result& found) {
                         if (found.empty()) {
                             throw NotOwner(fmt::format("shard {} is not owned under epoch {} any more",
                                                        ownership.shard, ownership.epoch));
                         }
                         table_file_ = found.integer(0, 0);
                     });
}

void Turn::mark(std::vector<SentRow> rows, const MarkedUpTo& marked) {
    written_ = true;
    transaction_.add(move_mark, {store_.shard_, marked.batch, marked.offset}, Answer::with_commit);
    if (rows.empty()) {
        return;
    }
    Params params{tids(rows), column(rows, &SentRow::seq), column(rows, &SentRow::partition),
                  column(rows, &SentRow::offset), rows.front().table_file};
    transaction_.add(mark_sent, std::move(params), Answer::before_commit,
                     [this, rows = std::move(rows)](const Result& done) {
                         if (const auto count = static_cast<std::size_t>(done.integer(0, 0));
                             count < rows.size()) {
                             mark_moved(rows, count);
                         }
                     });
}

/// Those that are marked already do not match any more. A row that stays unsent all the same would be sent
/// again.
void Turn::mark_moved(const std::vector<SentRow>& rows, std::size_t marked) {
    gone_ += rows.size() - marked;
    transaction_.add(mark_moved_sent,
                     {ids(rows), column(rows, &SentRow::seq), column(rows, &SentRow::partition),
                      column(rows, &SentRow::offset)},
                     Answer::before_commit,
                     [this](const Result& late) { gone_ -= static_cast<std::size_t>(late.integer(0, 0)); });
    transaction_.add(find_unsent, {ids(rows), column(rows, &SentRow::seq)}, Answer::before_commit,
                     [this](const Result& left) { expect_none(left); });
}

void Turn::mark_processing(const RowSet& claimed) {
    transaction_.add(
        to_processing, {tids(claimed.rows)}, Answer::with_commit,
        [this](Result moved) {
            moved_ = std::move(moved);
            moves_ = true;
        },
        Format::binary);
    note_processing(claimed);
}

void Turn::note_processing(const RowSet& claimed) {
    if (claimed.empty()) {
        return;
    }
    written_ = true;
    const auto newest = std::max_element(claimed.rows.begin(), claimed.rows.end(),
                                         [](const Row& a, const Row& b) { return a.seq < b.seq; });
    transaction_.add(move_claimed, {store_.shard_, newest->seq}, Answer::with_commit);
}

RowSet Turn::claim_some(Params where, std::size_t most) {
    RowSet claimed;
    where.emplace_back(static_cast<std::int64_t>(most));
    transaction_.add(
        most > 1 ? claim_statement : claim_one, std::move(where), Answer::before_commit,
        [&claimed](const Result& found) { add_rows(claimed, found); }, Format::binary);
    transaction_.flush();
    return claimed;
}

/// @param more  stays true while every statement found all that it may take
void Turn::fetch(RowSet& claimed, std::size_t statements, std::size_t step, std::size_t& bytes, bool& more) {
    const Statement next{"outbox_fetch", store_.fetch_statement_.c_str()};
    for (std::size_t i = 0; i < statements; ++i) {
        transaction_.add(
            next, {}, Answer::before_commit,
            [&](const Result& found) {
                more = static_cast<std::size_t>(found.rows()) == step;
                bytes += add_rows(claimed, found);
            },
            Format::binary);
    }
    transaction_.flush();
}

RowSet Turn::claim_backlog(Params where, const ClaimLimits& limits) {
    const std::size_t step = limits.rows_a_statement;
    store_.fetch_statement_ = fmt::format("FETCH {} FROM outbox_claim", step);
    transaction_.add(open_claim, std::move(where), Answer::with_commit);
    RowSet claimed;
    std::size_t bytes = 0;
    bool more = true;
    while (more && bytes < limits.bytes && claimed.rows.size() + step <= limits.rows) {
        const std::size_t fits =
            (limits.bytes - bytes) / (std::max<std::size_t>(store_.row_bytes_, 1) * step);
        const std::size_t left = (limits.rows - claimed.rows.size()) / step;
        fetch(claimed, std::clamp<std::size_t>(fits, 1, std::min(left, most_ahead)), step, bytes, more);
    }
    transaction_.add(close_claim, {}, Answer::with_commit);
    return claimed;
}

/// Of rows that were chosen the content that is large, as far as there is room for it.
/// @return those that found none: they are not in the set any more
std::vector<Row> Turn::read_large(RowSet& claimed, std::size_t room) {
    auto& rows = claimed.rows;
    const auto end = rows.begin() + static_cast<std::ptrdiff_t>(rows_with_room(rows, room));
    std::vector<Row> left(end, rows.end());
    rows.erase(end, rows.end());
    std::vector<Row> large;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(large),
                 [](const Row& row) { return row.unread > 0; });
    if (large.empty()) {
        return left;
    }
    if (large.size() == 1) {
        const auto patience = store_.timeout_ * patience_with_content;
        transaction_.allow(Deadline::in(patience * 3 / 2)); // behind the server's own, which names the cause
        transaction_.query(fmt::format("SET LOCAL statement_timeout = {}", patience.count()));
    }
    store_.choice_ = {choose_these, {tids(large)}, true};
    add_content(claimed, transaction_.run(read_content, store_.choice_.params, Format::binary));
    return left;
}

RowSet Turn::claim(const ClaimLimits& limits, std::span<const std::int64_t> in_flight,
                   std::span<const std::string> parked_topics) {
    auto& buckets = store_.buckets_;
    std::rotate(buckets.begin(), buckets.begin() + 1, buckets.end()); // no bucket is always first
    store_.floors_.leave_out(parked_topics);
    const Params where{numbers(buckets), numbers(in_flight), texts(parked_topics),
                       numbers(store_.floors_of(buckets))};
    const std::size_t step = std::min(limits.rows_a_statement, limits.rows);
    store_.choice_ = {choose_ready, where};
    store_.choice_.params.emplace_back(static_cast<std::int64_t>(limits.rows));
    RowSet claimed = store_.backlog_ && step > 1 && limits.rows > step ? claim_backlog(where, limits)
                                                                       : claim_some(where, step);
    store_.backlog_ = claimed.rows.size() >= step;
    if (claimed.empty()) {
        return claimed;
    }
    read_large(claimed, limits.bytes);
    store_.row_bytes_ = claimed.bytes() / claimed.rows.size();
    claimed_ = true;
    if (limits.track_processing) {
        mark_processing(claimed);
    }
    return claimed;
}

void Turn::fail(std::span<const FailedAttempt> attempts) {
    if (attempts.empty()) {
        return;
    }
    written_ = true;
    std::vector<std::string> errors; // they may quote what is no text
    std::vector<const char*> given_up;
    std::vector<const char*> block_key;
    std::vector<std::int64_t> waits;
    for (const FailedAttempt& attempt : attempts) {
        errors.push_back(storable(attempt.error));
        given_up.push_back(attempt.give_up ? "t" : "f");
        block_key.push_back(attempt.block_key ? "t" : "f");
        waits.push_back(attempt.wait.count());
    }
    transaction_.run(fail_attempts, {ids(attempts), column(attempts, &FailedAttempt::retry_count),
                                     numbers(given_up), numbers(waits), texts(errors), numbers(block_key)});
    expect_none(transaction_.run(find_not_failed, {ids(attempts), numbers(given_up)}));
}

void Turn::skip(std::span<const SkippedRow> rows) {
    if (rows.empty()) {
        return;
    }
    written_ = true;
    std::vector<std::string> reasons;
    for (const SkippedRow& row : rows) {
        reasons.push_back(storable(row.reason));
    }
    transaction_.run(to_skipped,
                     {column(rows, &SkippedRow::bucket), column(rows, &SkippedRow::seq), texts(reasons)});
}

void Turn::put_back(std::span<const Row> rows) {
    if (!rows.empty()) {
        written_ = true;
        transaction_.run(to_new, {ids(rows)});
        expect_none(transaction_.run(find_processing, {ids(rows)}));
        for (const Row& row : rows) {
            store_.floors_.lower(row.bucket, row.seq);
        }
    }
}

void Turn::postpone(std::span<const Row> rows) {
    if (!rows.empty()) {
        written_ = true;
        transaction_.run(to_due, {ids(rows)});
    }
}

void Turn::note_quiet(bool quiet) {
    written_ = true;
    transaction_.run(write_quiet, {store_.shard_, quiet ? "t" : "f"});
}

void Turn::commit() {
    if (claimed_ && !written_) {
        transaction_.add(log_claim, {}, Answer::with_commit);
    }
    transaction_.commit();
}

void Turn::commit(RowSet& claimed) {
    commit();
    claimed.table_file = table_file_;
    if (claimed.empty() || !moves_) {
        return;
    }
    std::unordered_map<std::int64_t, Tid> where;
    where.reserve(claimed.rows.size());
    for (int i = 0; i < moved_.rows(); ++i) {
        where.emplace(moved_.integer(i, 0), tid_of(moved_.bytes(i, 1)));
    }
    const auto missed = take_missed(claimed, where);
    if (!missed.empty()) {
        give_back(missed, take_followers(claimed, missed));
    }
}

/// Rows that somebody changed since the claim come again with the next one, and so must the later ones of
/// their keys.
void Turn::give_back(const std::vector<Row>& missed, const std::vector<Row>& followers) {
    Turn turn(store_, ownership_);
    turn.put_back(followers);
    turn.expect_none(turn.transaction_.run(find_as_claimed, {ids(missed), tids(missed)}));
    turn.commit();
}

void Turn::expect_none(const Result& left) {
    if (!left.empty()) {
        throw_without_effect(left.uuid(0, 0), store_.connection_, store_.timeout_);
    }
}

} // namespace outbox::store
