#include "outbox/store/lag.hpp"

#include "outbox/store/sql.hpp"

#include <algorithm>

namespace outbox::store {
namespace {

using postgres::Result;
using postgres::Statement;

// The first ready event of each bucket, which is one look into the index. A paused topic hides what is behind
// it.
constexpr Statement read_lags{
    "outbox_read_lag",
    "SELECT (SELECT coalesce(max(extract(epoch FROM clock_timestamp() - oldest.at)) * 1000, 0)::bigint"
    " FROM outbox_meta AS m CROSS JOIN generate_series(0, 63) AS b(bucket)"
    " JOIN outbox_shards AS s ON s.shard = b.bucket % m.shard_count"
    " JOIN outbox_relays AS r ON r.relay = s.owner CROSS JOIN LATERAL"
    " (SELECT " OUTBOX_FINITE(
        "o.created_at") " AS at, o.topic FROM outbox_events AS o WHERE o.bucket = b.bucket AND " OUTBOX_READY
                        " ORDER BY o.seq LIMIT 1) AS oldest"
                        " WHERE s.stopped IS NULL AND " OUTBOX_RELAY_ALIVE " AND NOT " OUTBOX_SHARD_PAUSED
                        " AND NOT EXISTS (SELECT 1 FROM outbox_pauses AS p WHERE p.scope = 'topic' AND "
                        "p.name = oldest.topic)),"
                        " (SELECT coalesce(max(extract(epoch FROM replay_lag)) * 1000, 0)::bigint FROM "
                        "pg_stat_replication)"};

// One that is cut off has replayed all that it has received.
constexpr Statement read_replica_lag{
    "outbox_read_replica_lag",
    "SELECT CASE WHEN NOT pg_is_in_recovery() OR pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn()"
    " AND EXISTS (SELECT FROM pg_stat_wal_receiver) THEN 0"
    " ELSE coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000, 0)"
    " END::bigint"};

milliseconds never_negative(std::int64_t number) {
    return milliseconds(std::max<std::int64_t>(0, number));
}

} // namespace

Lag read_lag(postgres::Connection& primary, milliseconds timeout) {
    const Result found = primary.run(read_lags, {}, Deadline::in(timeout));
    return {never_negative(found.integer(0, 0)), never_negative(found.integer(0, 1))};
}

milliseconds replica_lag(postgres::Connection& replica, milliseconds timeout) {
    return never_negative(replica.run(read_replica_lag, {}, Deadline::in(timeout)).integer(0, 0));
}

} // namespace outbox::store
