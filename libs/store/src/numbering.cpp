#include "outbox/store/numbering.hpp"

#include "outbox/store/sql.hpp"

#include <outbox/postgres/transaction.hpp>

namespace outbox::store {
namespace {

using postgres::Result;
using postgres::Statement;
using postgres::Transaction;

#define OUTBOX_IDENTITY_NAME "pg_get_serial_sequence('outbox_events', 'seq')::regclass"
#define OUTBOX_IDENTITY_AT "(SELECT coalesce(pg_sequence_last_value(" OUTBOX_IDENTITY_NAME "), 0))"

// Behind it the last thousandth of the numbers begins.
#define OUTBOX_IDENTITY_END                                                                                  \
    "(SELECT s.seqmax - s.seqmax / 1000 FROM pg_sequence AS s WHERE s.seqrelid = " OUTBOX_IDENTITY_NAME ")"

// The summaries of outbox_events_seq leave only pages to read that may hold a number above.
constexpr Statement find_newest{"outbox_newest_above",
                                "SELECT max(o.seq) FROM outbox_events AS o WHERE o.seq > " OUTBOX_IDENTITY_AT
                                " AND o.seq <= " OUTBOX_IDENTITY_END};

#define OUTBOX_NEWEST_OF_BUCKETS(which)                                                                      \
    "(SELECT max(newest.seq) FROM generate_series(0, 63) AS b(bucket) CROSS JOIN LATERAL"                    \
    " (SELECT o.seq FROM outbox_events AS o WHERE o.bucket = b.bucket AND " which                            \
    " AND o.seq <= " OUTBOX_IDENTITY_END " ORDER BY o.seq DESC LIMIT 1) AS newest)"

constexpr Statement find_newest_unsent{
    "outbox_newest_unsent_above",
    "SELECT nullif(greatest(n.seq, " OUTBOX_IDENTITY_AT "), " OUTBOX_IDENTITY_AT
    ") FROM (SELECT greatest(" OUTBOX_NEWEST_OF_BUCKETS(OUTBOX_READY) ", " OUTBOX_NEWEST_OF_BUCKETS(
        "o.failed") ", (SELECT max(claimed_seq) FROM outbox_shards WHERE claimed_seq <= " OUTBOX_IDENTITY_END
                    ")) AS seq) AS n"};

#define OUTBOX_AT_THE_END_OF(which)                                                                          \
    "SELECT o.id, o.seq FROM generate_series(0, 63) AS b(bucket) CROSS JOIN LATERAL"                         \
    " (SELECT o.id, o.seq FROM outbox_events AS o WHERE o.bucket = b.bucket AND " which                      \
    " AND o.seq > " OUTBOX_IDENTITY_END " LIMIT 1) AS o"

constexpr Statement find_at_the_end{
    "outbox_at_the_end",
    "(" OUTBOX_AT_THE_END_OF(OUTBOX_READY) ") UNION ALL (" OUTBOX_AT_THE_END_OF("o.failed") ") LIMIT 1"};

constexpr Statement move{
    "outbox_move_identity",
    "SELECT setval(s.name, $1) FROM (SELECT " OUTBOX_IDENTITY_NAME " AS name) AS s"
    " WHERE coalesce(pg_sequence_last_value(s.name), 0) < $1 AND $1 <= " OUTBOX_IDENTITY_END};

// The planner does not know how few they are, and would read the whole table.
constexpr auto by_indexes =
    "BEGIN; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = on; SET LOCAL jit = off";

} // namespace

std::optional<std::int64_t> newest_above_identity(postgres::Connection& connection, Look look,
                                                  Deadline deadline) {
    Transaction transaction(connection, deadline, by_indexes);
    const Result found = transaction.run(look == Look::everywhere ? find_newest : find_newest_unsent, {});
    transaction.commit();
    return found.is_null(0, 0) ? std::nullopt : std::optional(found.integer(0, 0));
}

std::optional<Numbered> event_at_the_end(postgres::Connection& connection, Deadline deadline) {
    Transaction transaction(connection, deadline, by_indexes);
    const Result found = transaction.run(find_at_the_end, {});
    transaction.commit();
    return found.empty() ? std::nullopt : std::optional(Numbered{found.text(0, 0), found.integer(0, 1)});
}

bool move_identity(postgres::Connection& connection, std::int64_t seq, Deadline deadline) {
    return !connection.run(move, {seq}, deadline).empty();
}

std::optional<std::int64_t> mend_identity(postgres::Connection& connection, Look look, Deadline deadline) {
    const auto newest = newest_above_identity(connection, look, deadline);
    return newest && move_identity(connection, *newest, deadline) ? newest : std::nullopt;
}

} // namespace outbox::store
