#include "outbox/store/backfills.hpp"

#include "outbox/store/archive.hpp"
#include "outbox/store/sql.hpp"

#include <outbox/core/error.hpp>
#include <outbox/core/user.hpp>

#include <fmt/format.h>
#include <poll.h>

namespace outbox::store {
namespace {

using postgres::Params;
using postgres::Result;
using postgres::Statement;

constexpr Statement read_identity{"outbox_read_identity",
                                  "SELECT outbox_id, name, cluster_id FROM outbox_meta"};

constexpr Statement find_topic{"outbox_find_topic",
                               "SELECT EXISTS (SELECT FROM outbox_topics WHERE topic = $1)"};

constexpr Statement read_time{"outbox_read_time", "SELECT $1::timestamptz"};

// Transactions that write to the outbox, those that are prepared included. A writer has its lock before it
// has a seq, and a relay before it says when an event was done; both keep it until others see what they
// wrote.
#define OUTBOX_WRITERS                                                                                       \
    "pg_locks AS l WHERE l.locktype = 'relation' AND l.relation = 'outbox_events'::regclass"                 \
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"                     \
    " AND l.mode = 'RowExclusiveLock' AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()"

constexpr Statement read_moment{"outbox_read_moment", "SELECT clock_timestamp()"};

// The numbering may have begun anew below what stands there, as in a database that was moved by logical
// replication.
constexpr const char* read_last_seq = "SELECT greatest(s.last_value, (SELECT max(a.seq) FROM ({}) AS a), "
                                      "(SELECT max(e.seq) FROM outbox_events AS e"
                                      " WHERE e.seq > s.last_value)) FROM outbox_events_seq_seq AS s";

// Each half has an index of its own.
constexpr Statement read_waiting{"outbox_read_waiting",
                                 "SELECT coalesce(range_agg(int8range(w.seq, w.seq, '[]')), '{}') FROM "
                                 "(SELECT seq FROM outbox_events WHERE"
                                 " unsent AND next_attempt_at IS NULL UNION ALL SELECT seq FROM "
                                 "outbox_events WHERE unsent AND next_attempt_at"
                                 " IS NOT NULL) AS w WHERE w.seq <= $1"};

// Before the first ANALYZE the planner takes the indexes for useless.
constexpr auto begin_looking = "BEGIN READ ONLY; SET LOCAL enable_seqscan = off; SET LOCAL jit = off";

constexpr Statement read_pages{
    "outbox_read_pages", "SELECT pg_relation_size('outbox_events') / current_setting('block_size')::bigint"};

constexpr Statement summarize_pages{"outbox_summarize_pages", "SELECT outbox_summarize_seq($1, $2)"};

constexpr auto lock_not_available = "55P03";

constexpr Statement read_writers{
    "outbox_read_writers",
    "SELECT coalesce(array_agg(DISTINCT l.virtualtransaction), '{}') FROM " OUTBOX_WRITERS};

constexpr Statement find_writer{"outbox_find_writer", "SELECT l.pid FROM " OUTBOX_WRITERS
                                                      " AND l.virtualtransaction = ANY ($1::text[])"
                                                      " LIMIT 1"};

// The commit of this very transaction lies behind the position, so a replica passes it also when nobody else
// writes: after a switch of segments the position alone may be one that no record ends at.
constexpr Statement read_log_position{"outbox_log_position",
                                      "SELECT pg_current_wal_insert_lsn(), txid_current()"};

// A backup that was restored, and a replica that was promoted, have the system's identifier as well.
constexpr Statement read_server{"outbox_server",
                                "SELECT system_identifier, pg_is_in_recovery(), pg_postmaster_start_time()"
                                " FROM pg_control_system()"};

constexpr Statement read_replayed{
    "outbox_replayed",
    "SELECT CASE WHEN pg_is_in_recovery() THEN coalesce(pg_last_wal_replay_lsn() >= $1::pg_lsn,"
    " false) ELSE pg_current_wal_insert_lsn() >= $1::pg_lsn END"};

#define OUTBOX_UTC_OF(t) "to_char(" t " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"

constexpr const char* select_runs =
    "SELECT b.run, b.id, b.lock_key, b.generated, b.who, b.selection, b.target, b.since, b.until, b.done_by,"
    " b.last_seq, b.log_position, b.events, b.lanes, b.control_offset, "
    "b.published, " OUTBOX_UTC_OF("b.started_at") ", " OUTBOX_UTC_OF("b.finished_at") ", " OUTBOX_UTC_OF(
        "b.cancelled_at") ", EXISTS (SELECT 1 FROM pg_locks AS l "
                          "WHERE " OUTBOX_HOLDS("4", "b.lock_key") "), "
                                                                   "coalesce("
                                                                   "b."
                                                                   "published "
                                                                   "/ "
                                                                   "nullif("
                                                                   "extract("
                                                                   "epoch "
                                                                   "FROM "
                                                                   "b."
                                                                   "finished_"
                                                                   "at - "
                                                                   "b.started_"
                                                                   "at), 0),"
                                                                   " 0)::"
                                                                   "bigint, "
                                                                   "b.waiting "
                                                                   "FROM "
                                                                   "outbox_"
                                                                   "backfills "
                                                                   "AS b";

constexpr Statement insert_run{
    "outbox_add_backfill",
    "INSERT INTO outbox_backfills (run, id, generated, who, selection, target, since, until, done_by, "
    "last_seq,"
    " log_position, events, lanes, control_offset, waiting) VALUES ($1, $2, $3::boolean, $4 || ' as ' || "
    "session_user, $5, $6, $7::timestamptz, $8::timestamptz, $9::timestamptz, $10, $11::pg_lsn, $12, $13, "
    "$14,"
    " $15::int8multirange)"};

constexpr Statement hold_run{"outbox_hold_backfill",
                             "SELECT pg_try_advisory_lock(" OUTBOX_BACKFILL_LOCK("$1::integer") ")"};

// Of a run that is not registered yet.
constexpr Statement hold_registration{
    "outbox_hold_registration",
    "SELECT pg_try_advisory_lock(" OUTBOX_REGISTRATION_LOCK("hashtext($1) & ((1 << 28) - 1)") ")"};

constexpr Statement note_run{
    "outbox_note_backfill", "UPDATE outbox_backfills SET published = $2 WHERE run = $1 RETURNING cancelled_at"
                            " IS NOT NULL"};

constexpr Statement finish_run{"outbox_finish_backfill",
                               "UPDATE outbox_backfills SET published = $2, finished_at = clock_timestamp()"
                               " WHERE run = $1 AND finished_at IS NULL"};

constexpr Statement cancel_run{"outbox_cancel_backfill",
                               "UPDATE outbox_backfills SET cancelled_at = clock_timestamp(),"
                               " cancelled_by = $2 || ' as ' || session_user"
                               " WHERE run = $1 AND finished_at IS NULL AND cancelled_at IS NULL"};

constexpr const char* count_ids =
    "SELECT coalesce(x.status, ''), count(*), array_to_string((array_agg(x.id::text ORDER BY x.id))[1:3], ', "
    "')"
    " FROM (SELECT w.id, min(e.status) AS status FROM unnest($1::uuid[]) AS w(id) LEFT JOIN {} AS e"
    " ON e.id = w.id GROUP BY w.id) AS x WHERE x.status IS NULL OR NOT x.status = ANY ($2::text[])"
    " GROUP BY 1 ORDER BY 1";

// One walk over the archive, which may be large and have no index on ids.
constexpr milliseconds walk_time{600'000};
constexpr const char* count_ids_twice =
    "SELECT count(*), coalesce(array_to_string((array_agg(d.id::text ORDER BY d.id))[1:3], ', '), '') FROM"
    " (SELECT o.id FROM ({}) AS o WHERE {} GROUP BY o.id HAVING min(o.seq) < max(o.seq)) AS d";

BackfillRun run_of(const Result& found, int at) {
    BackfillRun run;
    run.run = found.text(at, 0);
    run.id = found.uuid(at, 1);
    run.lock_key = static_cast<std::int32_t>(found.integer(at, 2));
    run.generated = found.boolean(at, 3);
    run.who = found.text(at, 4);
    run.selection = found.text(at, 5);
    run.target = found.text(at, 6);
    run.since = found.maybe_text(at, 7);
    run.until = found.maybe_text(at, 8);
    run.still = {found.text(at, 9), found.integer(at, 10), std::nullopt, found.text(at, 11)};
    if (const auto waiting = found.maybe_text(at, 21)) {
        run.still.waiting = parse_ranges(*waiting);
    }
    run.events = found.integer(at, 12);
    run.lanes = static_cast<int>(found.integer(at, 13));
    run.control_offset = found.integer(at, 14);
    run.published = found.integer(at, 15);
    run.started_at = found.text(at, 16);
    run.finished_at = found.maybe_text(at, 17);
    run.cancelled_at = found.maybe_text(at, 18);
    run.under_way = found.boolean(at, 19);
    run.speed = static_cast<double>(found.integer(at, 20));
    return run;
}

} // namespace

const char* BackfillRun::state() const noexcept {
    if (finished_at) {
        return "done";
    }
    if (cancelled_at) {
        return "cancelled";
    }
    return under_way ? "running" : "interrupted";
}

OutboxIdentity Backfills::identity() {
    const Result found = connection_.run(read_identity, {}, Deadline::in(timeout_));
    if (found.empty()) {
        throw Error(Action::stop, "outbox_meta is empty: run outbox-migrate up");
    }
    return {found.uuid(0, 0), found.maybe_text(0, 1), found.maybe_text(0, 2)};
}

bool Backfills::was_sent_to(const std::string& topic) {
    return connection_.run(find_topic, {topic}, Deadline::in(timeout_)).boolean(0, 0);
}

std::string Backfills::time_of(const std::string& text) {
    return connection_.run(read_time, {text}, Deadline::in(timeout_)).text(0, 0);
}

std::int64_t Backfills::pages() {
    return connection_.run(read_pages, {}, Deadline::in(timeout_)).integer(0, 0);
}

bool Backfills::summarize(std::int64_t first_page, std::int64_t end_page) {
    try {
        connection_.run(summarize_pages, {first_page, end_page}, Deadline::in(timeout_));
        return true;
    } catch (const postgres::DatabaseError& error) {
        if (error.sqlstate() != lock_not_available) {
            throw;
        }
        return false;
    }
}

std::int64_t Backfills::last_seq(const std::string& archived) {
    const std::string elsewhere = archived.empty() ? "SELECT 0::bigint AS seq" : archived;
    postgres::Transaction transaction(connection_, Deadline::in(timeout_), begin_looking);
    const auto last =
        transaction.query(fmt::format(fmt::runtime(read_last_seq), elsewhere), {}).integer(0, 0);
    transaction.commit();
    return last;
}

Stillness Backfills::stand_still(const std::string& archived, Deadline deadline) {
    Stillness still;
    still.moment = connection_.run(read_moment, {}, Deadline::in(timeout_)).text(0, 0);
    still.last_seq = last_seq(archived);
    const std::string writers = connection_.run(read_writers, {}, Deadline::in(timeout_)).text(0, 0);
    while (true) {
        const Result left = connection_.run(find_writer, {writers}, Deadline::in(timeout_));
        if (left.empty()) {
            break;
        }
        if (deadline.passed()) {
            throw Error(
                Action::stop,
                fmt::format("a transaction ({}) that writes to outbox_events does not end, so the range "
                            "cannot be fixed; end it and start again",
                            left.is_null(0, 0) ? "a prepared one" : "process " + left.text(0, 0)));
        }
        poll(nullptr, 0, 50);
    }
    postgres::Transaction transaction(connection_, Deadline::in(timeout_), begin_looking);
    still.waiting = parse_ranges(transaction.run(read_waiting, {still.last_seq}).text(0, 0));
    transaction.commit();
    still.log_position = log_position();
    return still;
}

std::string Backfills::log_position() {
    return connection_.run(read_log_position, {}, Deadline::in(timeout_)).text(0, 0);
}

std::vector<BackfillRun> Backfills::select(const std::string& where, const Params& params) {
    const Result found = connection_.query(select_runs + where, params, Deadline::in(timeout_));
    std::vector<BackfillRun> runs;
    for (int i = 0; i < found.rows(); ++i) {
        runs.push_back(run_of(found, i));
    }
    return runs;
}

std::optional<BackfillRun> Backfills::find(const std::string& run) {
    auto found = select(" WHERE b.run = $1", {run});
    return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

std::optional<BackfillRun> Backfills::find_unfinished(const std::string& selection,
                                                      const std::string& target) {
    auto found = select(" WHERE b.generated AND b.selection = $1 AND b.target = $2 AND b.finished_at IS NULL"
                        " AND b.cancelled_at IS NULL ORDER BY b.started_at DESC LIMIT 1",
                        {selection, target});
    return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

std::optional<BackfillRun> Backfills::find_finished(const BackfillRun& wanted) {
    auto found =
        select(" WHERE b.generated AND b.selection = $1 AND b.target = $2 AND b.finished_at IS NOT NULL"
               " AND b.since IS NOT DISTINCT FROM $3::timestamptz AND b.until IS NOT DISTINCT FROM"
               " $4::timestamptz ORDER BY b.started_at DESC LIMIT 1",
               {wanted.selection, wanted.target, wanted.since, wanted.until});
    return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

std::vector<IdCount> Backfills::ids_left_out(const std::vector<Uuid>& ids,
                                             const std::vector<std::string>& statuses,
                                             const std::string& archived) {
    const Result found = connection_.query(
        fmt::format(fmt::runtime(count_ids), events_with(archived)),
        {array_of(ids, [](std::string& text, const Uuid& id) { text += id.to_string(); }), texts(statuses)},
        Deadline::in(timeout_));
    std::vector<IdCount> counts;
    for (int i = 0; i < found.rows(); ++i) {
        counts.push_back({found.text(i, 0), found.integer(i, 1), found.text(i, 2)});
    }
    return counts;
}

IdCount Backfills::ids_twice_in_archive(const HistoryFilter& filter, std::int64_t after, std::int64_t upto) {
    const Condition where = condition(filter, after, upto);
    postgres::Transaction transaction(
        connection_, Deadline::in(walk_time),
        fmt::format("BEGIN READ ONLY; SET LOCAL statement_timeout = {}", walk_time.count()));
    const Result found = transaction.query(
        fmt::format(fmt::runtime(count_ids_twice), filter.archived, where.sql), where.params);
    transaction.commit();
    return {"", found.integer(0, 0), found.text(0, 1)};
}

std::vector<BackfillRun> Backfills::all() {
    return select(" ORDER BY b.started_at, b.run", {});
}

BackfillRun Backfills::add(const BackfillRun& run) {
    postgres::Transaction transaction(connection_, Deadline::in(timeout_),
                                      "BEGIN; SET LOCAL synchronous_commit = on");
    transaction.run(insert_run, {run.run, run.id, run.generated ? "true" : "false", user_and_host(),
                                 run.selection, run.target, run.since, run.until, run.still.moment,
                                 run.still.last_seq, run.still.log_position, run.events, run.lanes,
                                 run.control_offset, ranges_text(run.still.waiting.value_or(SeqRanges()))});
    transaction.commit();
    return find(run.run).value();
}

bool Backfills::hold_registration(const std::string& words) {
    return connection_.run(store::hold_registration, {words}, Deadline::in(timeout_)).boolean(0, 0);
}

bool Backfills::hold(const BackfillRun& run) {
    return connection_.run(hold_run, {run.lock_key}, Deadline::in(timeout_)).boolean(0, 0);
}

bool Backfills::note_progress(const BackfillRun& run, std::int64_t published) {
    const Result noted = connection_.run(note_run, {run.run, published}, Deadline::in(timeout_));
    return noted.empty() || noted.boolean(0, 0);
}

void Backfills::finish(const BackfillRun& run, std::int64_t published) {
    connection_.run(finish_run, {run.run, published}, Deadline::in(timeout_));
}

bool Backfills::cancel(const BackfillRun& run, const std::string& who) {
    return connection_.run(cancel_run, {run.run, who}, Deadline::in(timeout_)).affected() == 1;
}

bool follows(postgres::Connection& source, postgres::Connection& primary, milliseconds timeout) {
    const Result there = source.run(read_server, {}, Deadline::in(timeout));
    const Result here = primary.run(read_server, {}, Deadline::in(timeout));
    return there.text(0, 0) == here.text(0, 0) &&
           (there.boolean(0, 1) || there.text(0, 2) == here.text(0, 2));
}

bool has_replayed(postgres::Connection& connection, const std::string& log_position, milliseconds timeout) {
    return connection.run(read_replayed, {log_position}, Deadline::in(timeout)).boolean(0, 0);
}

} // namespace outbox::store
