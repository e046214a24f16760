// How far claims need not look while topics are left out.
#include "outbox/store/floors.hpp"

#include "outbox/store/shard.hpp"
#include "outbox/store/sql.hpp"

namespace outbox::store {
namespace {

using postgres::Result;
using postgres::Statement;

// With a cache sessions use numbers long after they got them.
constexpr Statement read_last_seq{
    "outbox_last_seq",
    "SELECT CASE WHEN s.seqcache = 1 THEN coalesce(pg_sequence_last_value(s.seqrelid), 0) ELSE 0 END"
    " FROM pg_sequence AS s WHERE s.seqrelid = pg_get_serial_sequence('outbox_events', 'seq')::regclass"};

// Whoever inserts holds this lock before it gets a number, until its end.
constexpr Statement find_writers{
    "outbox_find_writers",
    "SELECT DISTINCT l.virtualtransaction FROM pg_locks AS l WHERE l.locktype = 'relation' AND l.granted"
    " AND l.relation = 'outbox_events'::regclass AND l.mode = 'RowExclusiveLock'"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    " AND l.pid IS DISTINCT FROM pg_backend_pid()"};

// Rows that are claimed count as well: they may come back.
constexpr Statement find_floors{
    "outbox_find_floors",
    "SELECT b.bucket, coalesce(w.open - 1, CASE WHEN w.n = $5::bigint THEN w.last ELSE $4::bigint END)"
    " FROM unnest($1::smallint[], $2::bigint[]) AS b(bucket, floor) CROSS JOIN LATERAL"
    " (SELECT count(*) AS n, max(r.seq) AS last, min(r.seq) FILTER (WHERE r.topic <> ALL ($3::text[])) AS "
    "open"
    " FROM (SELECT o.seq, o.topic FROM outbox_events AS o WHERE o.bucket = b.bucket AND " OUTBOX_READY
    " AND o.seq > b.floor AND o.seq <= $4::bigint ORDER BY o.seq LIMIT $5::bigint) AS r) AS w"};

/// Rows of a bucket that one look walks over.
constexpr std::int64_t most_walked = 20'000;

} // namespace

std::set<std::string> ShardStore::writers() {
    const Result found = connection_.run(find_writers, {}, Deadline::in(timeout_));
    std::set<std::string> writers;
    for (int i = 0; i < found.rows(); ++i) {
        writers.insert(found.text(i, 0));
    }
    return writers;
}

void ShardStore::skip_parked(std::span<const std::string> parked_topics) {
    floors_.leave_out(parked_topics);
    const std::int64_t last = connection_.run(read_last_seq, {}, Deadline::in(timeout_)).integer(0, 0);
    if (horizon_ && last < horizon_->seq) { // numbering began anew
        floors_.clear();
        horizon_.reset();
    }
    auto now = writers();
    if (horizon_ && horizon_->settled(now)) {
        const Result found = connection_.run(find_floors,
                                             {bucket_array_, numbers(floors_.of(buckets_in_order_)),
                                              texts(parked_topics), horizon_->seq, most_walked},
                                             Deadline::in(timeout_));
        for (int i = 0; i < found.rows(); ++i) {
            floors_.raise(static_cast<int>(found.integer(i, 0)), found.integer(i, 1));
        }
        horizon_.reset();
    }
    if (!horizon_) {
        horizon_ = Horizon{last, std::move(now)};
    }
}

void ShardStore::forget_skipped() {
    floors_.clear();
}

} // namespace outbox::store
