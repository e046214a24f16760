// Rows that somebody else has put where no claim looks.
#include "outbox/store/shard.hpp"
#include "outbox/store/sql.hpp"

namespace outbox::store {
namespace {

using postgres::Statement;

/// Rows of a bucket that one look walks over; what lies behind them comes to the front.
constexpr std::int64_t most_walked = 10'000;

#define OUTBOX_READY_STRAYS                                                                                  \
    " FROM unnest($1::smallint[], $2::bigint[]) AS b(bucket, floor) CROSS JOIN LATERAL"                      \
    " (SELECT r.ctid, r.seq, r.status FROM outbox_events AS r WHERE r.bucket = b.bucket AND r.seq > b.floor" \
    " AND " OUTBOX_READY_OF("r") " ORDER BY r.seq LIMIT $4) AS s"                                            \
                                 " WHERE s.status = 'PROCESSING' AND s.seq <> ALL ($3::bigint[])"

/// $1 are buckets, $4 is how many of each.
#define OUTBOX_WAITING_OF_BUCKETS                                                                            \
    " FROM unnest($1::smallint[], $2::bigint[]) AS b(bucket, floor) CROSS JOIN LATERAL"                      \
    " (SELECT r.ctid, r.bucket, " OUTBOX_KEY_OF(                                                             \
        "r") " AS key, r.seq, r.status, r.next_attempt_at AS at"                                             \
             " FROM outbox_events AS r WHERE r.bucket = b.bucket AND r.seq > b.floor "                       \
             "AND " OUTBOX_WAITING_OF("r") " LIMIT $4) AS s WHERE s.seq <> ALL ($3::bigint[])"

#define OUTBOX_WAITING_STRAYS OUTBOX_WAITING_OF_BUCKETS " AND s.status = 'PROCESSING'"

// Rows that are held aside are looked for by the blocked keys alone.
#define OUTBOX_HELD_STRAYS                                                                                   \
    OUTBOX_WAITING_OF_BUCKETS " AND s.at = 'infinity' AND NOT EXISTS (SELECT 1 FROM outbox_blocked_keys"     \
                              " AS k WHERE k.bucket = s.bucket AND k.key = s.key)"

constexpr Statement find_strays{"outbox_find_strays", "SELECT EXISTS (SELECT 1" OUTBOX_READY_STRAYS
                                                      ") OR EXISTS (SELECT 1" OUTBOX_WAITING_STRAYS
                                                      ") OR EXISTS (SELECT 1" OUTBOX_HELD_STRAYS ")"};

constexpr Statement free_ready{"outbox_free_strays",
                               "UPDATE outbox_events AS o SET " OUTBOX_BACK
                               " WHERE o.ctid = ANY (ARRAY(SELECT s.ctid" OUTBOX_READY_STRAYS
                               ")) AND o.status = 'PROCESSING'"};

constexpr Statement free_waiting{"outbox_free_waiting_strays",
                                 "UPDATE outbox_events AS o SET status = 'NEW'"
                                 " WHERE o.ctid = ANY (ARRAY(SELECT s.ctid" OUTBOX_WAITING_STRAYS
                                 ")) AND o.status = 'PROCESSING'"};

constexpr Statement block_held{
    "outbox_block_strays",
    "INSERT INTO outbox_blocked_keys (bucket, key) SELECT DISTINCT s.bucket, s.key" OUTBOX_HELD_STRAYS
    " ON CONFLICT DO NOTHING"};

} // namespace

postgres::Params ShardStore::strays(std::span<const std::int64_t> in_flight) const {
    return {numbers(buckets_in_order_), numbers(floors_of(buckets_in_order_)), numbers(in_flight),
            most_walked};
}

bool ShardStore::has_strays(std::span<const std::int64_t> in_flight) {
    return connection_.run(find_strays, strays(in_flight), Deadline::in(timeout_)).boolean(0, 0);
}

std::size_t Turn::free_strays(std::span<const std::int64_t> in_flight) {
    written_ = true;
    std::size_t freed = 0;
    for (const Statement& statement : {free_ready, free_waiting, block_held}) {
        freed += static_cast<std::size_t>(transaction_.run(statement, store_.strays(in_flight)).affected());
    }
    return freed;
}

} // namespace outbox::store
