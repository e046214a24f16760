// Keys of which an event waits. Their later events are held aside, and come back in order when it waits no
// more.
#include "outbox/store/shard.hpp"
#include "outbox/store/sql.hpp"
#include "rows.hpp"

#include <algorithm>

namespace outbox::store {
namespace {

using postgres::Format;
using postgres::Result;
using postgres::Statement;

#define OUTBOX_WAITING_OF_KEY "o.bucket = k.bucket AND " OUTBOX_KEY_OF("o") " = k.key AND " OUTBOX_WAITING

/// A key comes as the hex of its bytes: as text it may have no form in UTF-8, and then it could not be read.
/// Its collation would be that of the encoding's name, with which no index of the column's can be used.
#define OUTBOX_GIVEN_KEY "(convert_from(decode($2::text, 'hex'), getdatabaseencoding()) COLLATE \"default\")"

#define OUTBOX_DUE                                                                                           \
    "(SELECT due.ctid FROM unnest($1::smallint[]) AS b(bucket) CROSS JOIN LATERAL"                           \
    " (SELECT o.ctid, o.next_attempt_at FROM outbox_events AS o WHERE o.bucket = b.bucket AND " OUTBOX_RETRY \
    " AND coalesce(o.status, 'NEW') = 'NEW' AND o.next_attempt_at <= clock_timestamp()"                      \
    " AND o.topic <> ALL ($2::text[]) AND NOT " OUTBOX_FOLLOWS_WAITING(                                      \
        "$2") " ORDER BY o.next_attempt_at LIMIT 1) AS due ORDER BY due.next_attempt_at LIMIT 1)"

// The row becomes a ready one: should the relay die now, it is found like any other.
constexpr Statement take_due{
    "outbox_take_due",
    "UPDATE outbox_events AS o SET status = 'PROCESSING', next_attempt_at = NULL WHERE o.ctid = " OUTBOX_DUE
    " AND " OUTBOX_STILL_UNSENT " RETURNING " OUTBOX_BARE_COLUMNS};
constexpr Statement choose_due{"outbox_choose_due", "SELECT " OUTBOX_IDENTITY
                                                    " FROM outbox_events AS o WHERE o.ctid = " OUTBOX_DUE};

// Those before the first one that waits for a retry.
#define OUTBOX_HELD                                                                                          \
    "ANY (ARRAY(SELECT free.ctid FROM (SELECT held.ctid,"                                                    \
    " bool_and(held.at = 'infinity') OVER (ORDER BY held.seq) AS now"                                        \
    " FROM (SELECT $1::smallint, " OUTBOX_GIVEN_KEY ") AS k(bucket, key) CROSS JOIN LATERAL"                 \
    " (SELECT o.ctid, o.seq, o.next_attempt_at FROM outbox_events AS o WHERE " OUTBOX_WAITING_OF_KEY         \
    " AND (o.next_attempt_at < 'infinity' OR o.topic <> ALL ($3::text[])) ORDER BY o.seq LIMIT $4)"          \
    " AS held(ctid, seq, at)) AS free WHERE free.now))"

constexpr Statement take_held{
    "outbox_take_held",
    "UPDATE outbox_events AS o SET status = 'PROCESSING', next_attempt_at = NULL WHERE o.ctid = " OUTBOX_HELD
    " AND " OUTBOX_STILL_UNSENT " AND NOT EXISTS (SELECT 1 FROM outbox_blocked_keys AS k WHERE k.bucket = $1"
    " AND k.key = " OUTBOX_GIVEN_KEY " AND " OUTBOX_FAILED_BLOCKS ") RETURNING " OUTBOX_COLUMNS};
constexpr Statement choose_held{"outbox_choose_held", "SELECT " OUTBOX_IDENTITY
                                                      " FROM outbox_events AS o WHERE o.ctid = " OUTBOX_HELD};

constexpr Statement unblock{
    "outbox_unblock", "DELETE FROM outbox_blocked_keys AS k WHERE k.bucket = $1"
                      " AND k.key = " OUTBOX_GIVEN_KEY " AND NOT " OUTBOX_FAILED_BLOCKS
                      " AND NOT EXISTS (SELECT 1 FROM outbox_events AS o WHERE " OUTBOX_WAITING_OF_KEY ")"};

constexpr Statement unblock_all{
    "outbox_unblock_all",
    "DELETE FROM outbox_blocked_keys AS k WHERE k.bucket = $1 AND NOT " OUTBOX_FAILED_BLOCKS
    " AND NOT EXISTS (SELECT 1 FROM outbox_events AS o WHERE " OUTBOX_WAITING_OF_KEY ")"};

constexpr Statement find_free{
    "outbox_find_free", "SELECT encode(convert_to(k.key, getdatabaseencoding()), 'hex') FROM "
                        "outbox_blocked_keys AS k WHERE k.bucket = $1 AND NOT " OUTBOX_FAILED_BLOCKS
                        " AND (SELECT o.next_attempt_at FROM outbox_events AS o WHERE " OUTBOX_WAITING_OF_KEY
                        " ORDER BY o.seq LIMIT 1) = 'infinity' LIMIT 1000"};

constexpr Statement find_waiting_buckets{
    "outbox_waiting_buckets",
    "SELECT b.bucket FROM unnest($1::smallint[]) AS b(bucket)"
    " WHERE EXISTS (SELECT 1 FROM outbox_blocked_keys AS k WHERE k.bucket = b.bucket)"
    " OR EXISTS (SELECT 1 FROM outbox_events AS o WHERE o.bucket = b.bucket AND " OUTBOX_WAITING ")"};

constexpr Statement hold{
    "outbox_hold", "UPDATE outbox_events AS o SET next_attempt_at = 'infinity' WHERE o.ctid = ANY (ARRAY("
                   "SELECT o.ctid FROM outbox_events AS o WHERE o.bucket = $1 AND " OUTBOX_NEW
                   " AND o.seq <> ALL ($2::bigint[]) AND " OUTBOX_BLOCKED " ORDER BY o.seq LIMIT $3))"
                   " AND coalesce(o.status, 'NEW') = 'NEW'"};

} // namespace

std::vector<int> ShardStore::waiting_buckets() {
    const Result found = connection_.run(find_waiting_buckets, {bucket_array_}, Deadline::in(timeout_));
    std::vector<int> buckets;
    for (int i = 0; i < found.rows(); ++i) {
        buckets.push_back(static_cast<int>(found.integer(i, 0)));
    }
    return buckets;
}

RowSet Turn::claim_due(std::span<const std::string> parked_topics) {
    RowSet claimed;
    store_.choice_ = {choose_due, {store_.due_buckets(), texts(parked_topics)}};
    add_rows(claimed, transaction_.run(take_due, store_.choice_.params, Format::binary));
    if (!claimed.empty()) {
        read_large(claimed, 0);
        note_processing(claimed);
    }
    return claimed;
}

RowSet Turn::claim_held(const BlockedKey& key, const ClaimLimits& limits,
                        std::span<const std::string> parked_topics) {
    RowSet claimed;
    std::size_t bytes = 0;
    const std::size_t step = std::min(limits.rows_a_statement, limits.rows);
    bool more = true;
    store_.choice_ = {choose_held,
                      {key.bucket, key.key, texts(parked_topics), static_cast<std::int64_t>(step)}};
    while (more && claimed.rows.size() + step <= limits.rows && bytes < limits.bytes) {
        const Result taken = transaction_.run(take_held, store_.choice_.params, Format::binary);
        more = static_cast<std::size_t>(taken.rows()) == step;
        bytes += add_rows(claimed, taken);
    }
    // UPDATE returns rows as they lie in the table.
    std::sort(claimed.rows.begin(), claimed.rows.end(),
              [](const Row& a, const Row& b) { return a.seq < b.seq; });
    const auto left = read_large(claimed, limits.bytes);
    put_back(left);
    note_processing(claimed);
    if (!more && left.empty()) {
        written_ = true;
        transaction_.run(unblock, {key.bucket, key.key});
    }
    return claimed;
}

std::size_t Turn::hold_followers(int bucket, std::span<const std::int64_t> in_flight) {
    written_ = true;
    return static_cast<std::size_t>(
        transaction_.run(hold, {bucket, numbers(in_flight), static_cast<std::int64_t>(hold_limit)})
            .affected());
}

std::vector<BlockedKey> Turn::sort_blocked(int bucket) {
    written_ = true;
    transaction_.run(unblock_all, {bucket});
    const Result found = transaction_.run(find_free, {bucket});
    std::vector<BlockedKey> keys;
    for (int i = 0; i < found.rows(); ++i) {
        keys.push_back({bucket, found.text(i, 0)});
    }
    return keys;
}

} // namespace outbox::store
