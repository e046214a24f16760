// Reads what `status` shows, in one snapshot, by statements whose cost grows with unsent events and not
// with sent ones. The survey of the database comes first: where a policy hides rows from this role,
// tables would look empty, and "all is well" would be a lie.

#include <outbox/operator/status.hpp>
#include <outbox/postgres/transaction.hpp>
#include <outbox/store/served.hpp>
#include <outbox/store/sql/status.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace outbox::verbs {
namespace {

namespace sql = store::sql;
using postgres::Result;
using postgres::Transaction;

/// An age in milliseconds, never negative: the clocks of two servers may differ.
std::optional<milliseconds> age(const Result& rows, int row, int column) {
    return rows.is_null(row, column)
               ? std::nullopt
               : std::optional(milliseconds(std::max<std::int64_t>(0, rows.integer(row, column))));
}

/// The shards with their owners, in order.
std::vector<ShardStatus> shards_of(Transaction& transaction) {
    std::vector<ShardStatus> shards;
    const Result rows = transaction.run(sql::status_shards, {});
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

/// Adds counts of unsent and FAILED events, by shard.
void read_backlog_into(Transaction& transaction, Status& status) {
    const Result backlog = transaction.run(sql::status_backlog, {});
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

/// Alarms that need a look at the tables themselves.
void add_alarms(Transaction& transaction, postgres::Connection& connection, Status& status) {
    if (transaction.run(sql::status_unlogged, {}).boolean(0, 0)) {
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
    const Result meta = transaction.run(sql::status_meta, {});
    status.outbox = meta.text(0, 0);
    status.name = meta.maybe_text(0, 1);
    status.cluster = meta.maybe_text(0, 2);
    status.shards = shards_of(transaction);
    read_backlog_into(transaction, status);
    status.alarms = alarms_of(status.shards, limits);
    add_alarms(transaction, connection, status);
    const Result relays = transaction.run(sql::status_relays, {});
    for (int i = 0; i < relays.rows(); ++i) {
        status.relays.push_back({relays.text(i, 0), relays.text(i, 1), relays.integer(i, 2),
                                 relays.text(i, 3), age(relays, i, 4).value_or(milliseconds(0))});
    }
    const Result pauses = transaction.run(sql::status_pauses, {});
    for (int i = 0; i < pauses.rows(); ++i) {
        status.pauses.push_back({pauses.text(i, 0), pauses.text(i, 1), pauses.text(i, 2),
                                 pauses.maybe_text(i, 3), pauses.text(i, 4)});
    }
    const Result outages = transaction.run(sql::status_outages, {});
    for (int i = 0; i < outages.rows(); ++i) {
        status.outages.push_back({outages.text(i, 0), outages.text(i, 1),
                                  age(outages, i, 2).value_or(milliseconds(0)), outages.text(i, 3),
                                  outages.boolean(i, 4), outages.integer(i, 5)});
    }
    return status;
}

} // namespace outbox::verbs
