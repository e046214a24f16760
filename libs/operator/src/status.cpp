#include <outbox/operator/status.hpp>
#include <outbox/postgres/transaction.hpp>
#include <outbox/store/served.hpp>
#include <outbox/store/sql.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace outbox::verbs {
namespace {

using postgres::Result;
using postgres::Statement;
using postgres::Transaction;

#define OUTBOX_UTC(t) "to_char(" t " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
#define OUTBOX_AGE_MS(t) "(extract(epoch FROM clock_timestamp() - " t ") * 1000)::bigint"

constexpr Statement read_meta{"outbox_status_meta", "SELECT outbox_id, name, cluster_id FROM outbox_meta"};

#define OUTBOX_SAID_OF_SHARD(alias, condition)                                                               \
    " LEFT JOIN LATERAL jsonb_to_recordset(r.hindered) AS " alias "(shard integer, why text, since"          \
    " timestamptz, slow boolean) ON " alias ".shard = s.shard AND " condition

constexpr Statement read_shards{
    "outbox_status_shards",
    "SELECT s.shard, coalesce(r.name, s.owner::text), coalesce(" OUTBOX_RELAY_ALIVE
    ", false), s.epoch, " OUTBOX_UTC("s.owned_since") ", s.marked_batch, " OUTBOX_AGE_MS(
        "s.marked_at") ", s.stopped, " OUTBOX_SHARD_PAUSED
                       ", coalesce(s.quiet_epoch = s.epoch, false), h.why, " OUTBOX_AGE_MS(
                           "h.since") ", w.why, " OUTBOX_AGE_MS("w.since") " FROM outbox_meta AS m JOIN "
                                                                           "outbox_shards AS s ON s.shard < "
                                                                           "m.shard_count"
                                                                           " LEFT JOIN outbox_relays AS r ON "
                                                                           "r.relay = "
                                                                           "s.owner" OUTBOX_SAID_OF_SHARD(
                                                                               "h", "h.slow IS NOT TRUE")
                                                                               OUTBOX_SAID_OF_SHARD(
                                                                                   "w", "w.slow") " ORDER BY "
                                                                                                  "s.shard"};

constexpr Statement read_unlogged{
    "outbox_status_unlogged",
    "SELECT relpersistence = 'u' FROM pg_class WHERE oid = 'outbox_events'::regclass"};

// A walk over the index of each bucket's unsent events, and a look at its oldest.
constexpr Statement read_backlog{
    "outbox_status_backlog",
    "SELECT b.bucket % coalesce(m.shard_count, 1), sum(ready.n + waiting.n)::bigint, " OUTBOX_AGE_MS(
        "min(least(oldest.at, waiting.oldest))") ", sum(failed.n)::bigint, sum(blocked.n)::bigint"
                                                 " FROM outbox_meta AS m CROSS JOIN generate_series(0, 63) "
                                                 "AS b(bucket)"
                                                 " CROSS JOIN LATERAL (SELECT count(*) AS n FROM "
                                                 "outbox_events AS o WHERE o.bucket = b.bucket "
                                                 "AND " OUTBOX_READY ") AS ready"
                                                 " LEFT JOIN LATERAL (SELECT " OUTBOX_FINITE(
                                                     "o.created_at") " AS at FROM "
                                                                     "outbox_events AS o WHERE o.bucket = "
                                                                     "b.bucket "
                                                                     "AND " OUTBOX_READY
                                                                     " ORDER BY o.seq LIMIT 1) AS oldest ON "
                                                                     "true"
                                                                     " CROSS JOIN LATERAL (SELECT count(*) "
                                                                     "AS n, "
                                                                     "min(" OUTBOX_FINITE(
                                                                         "o.created_at") ") AS oldest FROM "
                                                                                         "outbox_events AS o"
                                                                                         " WHERE o.bucket = "
                                                                                         "b.bucket "
                                                                                         "AND " OUTBOX_WAITING
                                                                                         ") AS waiting"
                                                                                         " CROSS JOIN "
                                                                                         "LATERAL (SELECT "
                                                                                         "count(*) AS n FROM "
                                                                                         "outbox_events AS o "
                                                                                         "WHERE o.bucket = "
                                                                                         "b.bucket AND "
                                                                                         "o.failed) "
                                                                                         "AS failed"
                                                                                         " CROSS JOIN "
                                                                                         "LATERAL (SELECT "
                                                                                         "count(*) AS n FROM "
                                                                                         "outbox_blocked_"
                                                                                         "keys AS k WHERE "
                                                                                         "k.bucket = "
                                                                                         "b.bucket) AS "
                                                                                         "blocked"
                                                                                         " GROUP BY "
                                                                                         "1"};

constexpr Statement read_relays{"outbox_status_relays",
                                "SELECT r.name, r.relay, (SELECT count(*) FROM outbox_shards AS s WHERE "
                                "s.owner = r.relay), " OUTBOX_UTC("r.started_at") ", " OUTBOX_AGE_MS(
                                    "r.heartbeat_at") " FROM outbox_relays AS r WHERE " OUTBOX_RELAY_ALIVE
                                                      " ORDER BY r.started_at, r.relay"};

constexpr Statement read_pauses{"outbox_status_pauses",
                                "SELECT p.scope, p.name, p.who, p.why, " OUTBOX_UTC(
                                    "p.since") " FROM outbox_pauses AS p ORDER BY p.since"};

constexpr Statement read_outages{
    "outbox_status_outages",
    "SELECT o.topic, " OUTBOX_UTC("min(o.since)") ", " OUTBOX_AGE_MS(
        "min(o.since)") ", (array_agg(o.reason ORDER BY o.since DESC))[1], bool_or(o.given_up), count(*)"
                        " FROM outbox_topic_outages AS o JOIN outbox_relays AS r ON r.relay = o.relay"
                        " WHERE " OUTBOX_RELAY_ALIVE " GROUP BY o.topic ORDER BY min(o.since), o.topic"};

std::optional<milliseconds> age(const Result& rows, int row, int column) {
    return rows.is_null(row, column)
               ? std::nullopt
               : std::optional(milliseconds(std::max<std::int64_t>(0, rows.integer(row, column))));
}

std::vector<ShardStatus> shards_of(Transaction& transaction) {
    std::vector<ShardStatus> shards;
    const Result rows = transaction.run(read_shards, {});
    for (int i = 0; i < rows.rows(); ++i) {
        ShardStatus shard;
        shard.shard = static_cast<int>(rows.integer(i, 0));
        shard.owner = rows.maybe_text(i, 1);
        shard.owner_alive = rows.boolean(i, 2);
        shard.epoch = rows.integer(i, 3);
        shard.owned_since = rows.maybe_text(i, 4);
        shard.last_batch = rows.integer(i, 5);
        shard.last_batch_age = age(rows, i, 6);
        shard.stopped = rows.maybe_text(i, 7);
        shard.paused = rows.boolean(i, 8);
        shard.quiet = rows.boolean(i, 9);
        shard.hindered = rows.maybe_text(i, 10);
        shard.hindered_for = age(rows, i, 11);
        shard.slow = rows.maybe_text(i, 12);
        shard.slow_for = age(rows, i, 13);
        shards.push_back(std::move(shard));
    }
    return shards;
}

void read_backlog_into(Transaction& transaction, Status& status) {
    const Result backlog = transaction.run(read_backlog, {});
    for (int i = 0; i < backlog.rows(); ++i) {
        const auto number = backlog.integer(i, 0);
        status.backlog += backlog.integer(i, 1);
        status.failed += backlog.integer(i, 3);
        const auto shard = std::find_if(status.shards.begin(), status.shards.end(),
                                        [&](const ShardStatus& each) { return each.shard == number; });
        if (shard != status.shards.end()) { // there is none before the first relay
            shard->backlog = backlog.integer(i, 1);
            shard->oldest = age(backlog, i, 2);
            shard->failed = backlog.integer(i, 3);
            shard->blocked_keys = backlog.integer(i, 4);
        }
    }
}

} // namespace

const char* ShardStatus::state() const {
    if (stopped) {
        return "stopped";
    }
    if (!owner || !owner_alive) {
        return "unowned";
    }
    if (hindered) {
        return "recovering";
    }
    if (paused) {
        return quiet ? "quiet" : "pausing";
    }
    return "running";
}

bool Status::healthy() const {
    const bool sound = std::all_of(findings.begin(), findings.end(), [](const survey::Finding& finding) {
        return finding.severity == survey::Severity::warn;
    });
    return sound && !shards.empty() && alarms.empty() && outages.empty() &&
           std::all_of(shards.begin(), shards.end(), [](const ShardStatus& shard) {
               return shard.owner && shard.owner_alive && !shard.stopped && !shard.hindered;
           });
}

std::vector<std::string> alarms_of(const std::vector<ShardStatus>& shards, const Limits& limits) {
    std::vector<std::string> alarms;
    std::int64_t failed = 0;
    std::optional<milliseconds> oldest;
    for (const ShardStatus& shard : shards) {
        failed += shard.failed;
        oldest = std::max(oldest, shard.oldest); // none is less than any
    }
    if (failed > limits.max_failed) {
        alarms.push_back(
            fmt::format("{} events are FAILED, more than --max-failed={}", failed, limits.max_failed));
    }
    if (limits.max_age && oldest && *oldest > *limits.max_age) {
        alarms.push_back(fmt::format("the oldest unsent event has waited for {} s, longer than --max-age={}",
                                     oldest->count() / 1000, limits.max_age->count()));
    }
    return alarms;
}

namespace {

void add_alarms(Transaction& transaction, postgres::Connection& connection, Status& status) {
    if (transaction.run(read_unlogged, {}).boolean(0, 0)) {
        status.alarms.emplace_back("outbox_events is UNLOGGED, so a crash of the server empties it; type: "
                                   "outbox-migrate up");
    }
    for (auto& unserved : store::unserved_tables(connection, Deadline::in(milliseconds(60'000)))) {
        status.alarms.push_back(std::move(unserved.why));
    }
}

} // namespace

Status read_status(postgres::Connection& connection, const Limits& limits) {
    Status status;
    const auto facts = survey::read(connection, Deadline::in(milliseconds(60'000)));
    status.findings = survey::judge(facts);
    status.hidden = survey::hides_rows(facts);
    if (status.hidden) {
        return status;
    }
    Transaction transaction(connection, Deadline::in(milliseconds(60'000)),
                            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
                            " SET LOCAL enable_seqscan = off; SET LOCAL jit = off");
    const Result meta = transaction.run(read_meta, {});
    status.outbox = meta.text(0, 0);
    status.name = meta.maybe_text(0, 1);
    status.cluster = meta.maybe_text(0, 2);
    status.shards = shards_of(transaction);
    read_backlog_into(transaction, status);
    status.alarms = alarms_of(status.shards, limits);
    add_alarms(transaction, connection, status);
    const Result relays = transaction.run(read_relays, {});
    for (int i = 0; i < relays.rows(); ++i) {
        status.relays.push_back({relays.text(i, 0), relays.text(i, 1), relays.integer(i, 2),
                                 relays.text(i, 3), age(relays, i, 4).value_or(milliseconds(0))});
    }
    const Result pauses = transaction.run(read_pauses, {});
    for (int i = 0; i < pauses.rows(); ++i) {
        status.pauses.push_back({pauses.text(i, 0), pauses.text(i, 1), pauses.text(i, 2),
                                 pauses.maybe_text(i, 3), pauses.text(i, 4)});
    }
    const Result outages = transaction.run(read_outages, {});
    for (int i = 0; i < outages.rows(); ++i) {
        status.outages.push_back({outages.text(i, 0), outages.text(i, 1),
                                  age(outages, i, 2).value_or(milliseconds(0)), outages.text(i, 3),
                                  outages.boolean(i, 4), outages.integer(i, 5)});
    }
    return status;
}

} // namespace outbox::verbs
