// The register of replays (outbox_backfills). A run is written down, durably, before its first event is
// published: range, numbers left out, lanes. From then on any process can go on with it, and does the
// same. The range is fixed by numbers and not by clocks: stand_still() waits for writers that are under
// way, so that nothing can join the range later.

#include "outbox/store/backfills.hpp"

#include "outbox/store/archive.hpp"
#include "outbox/store/texts.hpp"

#include <outbox/core/error.hpp>
#include <outbox/core/user.hpp>
#include <outbox/store/sql/backfills.hpp>

#include <fmt/format.h>
#include <poll.h>

namespace outbox::store {
namespace {

using postgres::Params;
using postgres::Result;
using postgres::Statement;

// Before the first ANALYZE the planner takes the indexes for useless.
constexpr auto begin_looking = "BEGIN READ ONLY; SET LOCAL enable_seqscan = off; SET LOCAL jit = off";

constexpr auto lock_not_available = "55P03";

// One walk over the archive, which may be large and have no index on ids.
constexpr milliseconds walk_time{600'000};

/// A run from the columns of the statements in sql/backfills.sql.
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
    const Result found = connection_.run(sql::read_identity, {}, Deadline::in(timeout_));
    if (found.empty()) {
        throw Error(Action::stop, "outbox_meta is empty: run outbox-migrate up");
    }
    return {found.uuid(0, 0), found.maybe_text(0, 1), found.maybe_text(0, 2)};
}

bool Backfills::was_sent_to(const std::string& topic) {
    return connection_.run(sql::find_topic, {topic}, Deadline::in(timeout_)).boolean(0, 0);
}

std::string Backfills::time_of(const std::string& text) {
    return connection_.run(sql::read_time, {text}, Deadline::in(timeout_)).text(0, 0);
}

std::int64_t Backfills::pages() {
    return connection_.run(sql::read_pages, {}, Deadline::in(timeout_)).integer(0, 0);
}

bool Backfills::summarize(std::int64_t first_page, std::int64_t end_page) {
    try {
        connection_.run(sql::summarize_pages, {first_page, end_page}, Deadline::in(timeout_));
        return true;
    } catch (const postgres::DatabaseError& error) {
        if (error.sqlstate() != lock_not_available) {
            throw;
        }
        return false;
    }
}

/// The archive is asked as well: its events may have the larger numbers.
std::int64_t Backfills::last_seq(const std::string& archived) {
    const std::string elsewhere = archived.empty() ? "SELECT 0::bigint AS seq" : archived;
    postgres::Transaction transaction(connection_, Deadline::in(timeout_), begin_looking);
    const auto last =
        transaction.query(filled(sql::read_last_seq, {{"archived", elsewhere}}), {}).integer(0, 0);
    transaction.commit();
    return last;
}

/// Moment, last number, writers: in this order. A writer that begins after the list was made gets a
/// larger number.
Stillness Backfills::stand_still(const std::string& archived, Deadline deadline) {
    Stillness still;
    still.moment = connection_.run(sql::read_moment, {}, Deadline::in(timeout_)).text(0, 0);
    still.last_seq = last_seq(archived);
    const std::string writers = connection_.run(sql::read_writers, {}, Deadline::in(timeout_)).text(0, 0);
    while (true) {
        const Result left = connection_.run(sql::find_writer, {writers}, Deadline::in(timeout_));
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
        // There is no bell for the end of a transaction; a twentieth of a second is what a
        // person does not notice.
        poll(nullptr, 0, 50);
    }
    postgres::Transaction transaction(connection_, Deadline::in(timeout_), begin_looking);
    still.waiting = parse_ranges(transaction.run(sql::read_waiting, {still.last_seq}).text(0, 0));
    transaction.commit();
    still.log_position = log_position();
    return still;
}

std::string Backfills::log_position() {
    return connection_.run(sql::log_position, {}, Deadline::in(timeout_)).text(0, 0);
}

/// Runs that the statement finds.
std::vector<BackfillRun> Backfills::select(const postgres::Statement& statement, const Params& params) {
    const Result found = connection_.run(statement, params, Deadline::in(timeout_));
    std::vector<BackfillRun> runs;
    for (int i = 0; i < found.rows(); ++i) {
        runs.push_back(run_of(found, i));
    }
    return runs;
}

std::optional<BackfillRun> Backfills::find(const std::string& run) {
    auto found = select(sql::find_run, {run});
    return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

std::optional<BackfillRun> Backfills::find_unfinished(const std::string& selection,
                                                      const std::string& target) {
    auto found = select(sql::find_unfinished_run, {selection, target});
    return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

std::optional<BackfillRun> Backfills::find_finished(const BackfillRun& wanted) {
    auto found =
        select(sql::find_finished_run, {wanted.selection, wanted.target, wanted.since, wanted.until});
    return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

std::vector<IdCount> Backfills::ids_left_out(const std::vector<Uuid>& ids,
                                             const std::vector<std::string>& statuses,
                                             const std::string& archived) {
    const Result found = connection_.query(
        filled(sql::count_ids, {{"events", events_with(archived)}}),
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
        filled(sql::count_ids_twice, {{"archived", filter.archived}, {"condition", where.sql}}),
        where.params);
    transaction.commit();
    return {"", found.integer(0, 0), found.text(0, 1)};
}

std::vector<BackfillRun> Backfills::all() {
    return select(sql::list_runs, {});
}

/// Durable before anything is published: a run that Kafka knows and the database does not could not be
/// gone on with.
BackfillRun Backfills::add(const BackfillRun& run) {
    postgres::Transaction transaction(connection_, Deadline::in(timeout_),
                                      "BEGIN; SET LOCAL synchronous_commit = on");
    transaction.run(sql::add_backfill,
                    {run.run, run.id, run.generated ? "true" : "false", user_and_host(), run.selection,
                     run.target, run.since, run.until, run.still.moment, run.still.last_seq,
                     run.still.log_position, run.events, run.lanes, run.control_offset,
                     ranges_text(run.still.waiting.value_or(SeqRanges()))});
    transaction.commit();
    return find(run.run).value();
}

bool Backfills::hold_registration(const std::string& words) {
    return connection_.run(sql::hold_registration, {words}, Deadline::in(timeout_)).boolean(0, 0);
}

bool Backfills::hold(const BackfillRun& run) {
    return connection_.run(sql::hold_backfill, {run.lock_key}, Deadline::in(timeout_)).boolean(0, 0);
}

bool Backfills::note_progress(const BackfillRun& run, std::int64_t published) {
    const Result noted = connection_.run(sql::note_backfill, {run.run, published}, Deadline::in(timeout_));
    return noted.empty() || noted.boolean(0, 0);
}

void Backfills::finish(const BackfillRun& run, std::int64_t published) {
    connection_.run(sql::finish_backfill, {run.run, published}, Deadline::in(timeout_));
}

bool Backfills::cancel(const BackfillRun& run, const std::string& who) {
    return connection_.run(sql::cancel_backfill, {run.run, who}, Deadline::in(timeout_)).affected() == 1;
}

bool follows(postgres::Connection& source, postgres::Connection& primary, milliseconds timeout) {
    const Result there = source.run(sql::server, {}, Deadline::in(timeout));
    const Result here = primary.run(sql::server, {}, Deadline::in(timeout));
    return there.text(0, 0) == here.text(0, 0) &&
           (there.boolean(0, 1) || there.text(0, 2) == here.text(0, 2));
}

bool has_replayed(postgres::Connection& connection, const std::string& log_position, milliseconds timeout) {
    return connection.run(sql::replayed, {log_position}, Deadline::in(timeout)).boolean(0, 0);
}

} // namespace outbox::store
