// Runs migrations, all of them in one transaction, so that a failure leaves nothing behind: neither
// half a version nor a line of history. Whether a file has ended the transaction by a COMMIT of its own
// is noticed by a local setting that would be gone then.

#include "steps.hpp"

#include "adoption.hpp"
#include "advice.hpp"
#include "captures.hpp"
#include "history.hpp"
#include "server.hpp"

#include <outbox/core/error.hpp>
#include <outbox/postgres/transaction.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace outbox::migrations {
namespace {

using postgres::Connection;
using postgres::DatabaseError;
using postgres::Transaction;

/// The deadline of an ordinary question.
Deadline soon() {
    return Deadline::in(milliseconds(30'000));
}

// The local setting ends with the transaction: after a file it tells whether the file ended it. What is
// deferred would be in the way of ALTER TABLE.
constexpr auto begin = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL outbox.migrating = 'yes';"
                       " SET CONSTRAINTS ALL IMMEDIATE";

/// "0001_users.up.sql"
std::string file_name(const Migration& migration, const char* direction) {
    return fmt::format("{}.{}.sql", label(migration.version, migration.name), direction);
}

/// As people write it.
std::string schema_name(const postgres::ConnectOptions& options) {
    return options.schema == "public" ? options.schema : quoted(options.schema);
}

/// Commits, and explains a lost answer: nobody knows, `status` tells, and to repeat is safe.
void commit(Transaction& transaction, const Steps& steps, const char* direction) {
    try {
        transaction.commit();
    } catch (const CommitInDoubt& error) {
        const auto last = steps.empty() ? "the history" : file_name(*steps.back(), direction);
        throw CommitInDoubt(fmt::format(
            "the connection was lost while {}{} was committed, so whether it counts is "
            "not known:\n  {}\n"
            "outbox-migrate status tells. Running {} again is safe{}",
            steps.size() > 1 ? file_name(*steps.front(), direction) + " to " : "", last, error.what(),
            direction, std::string_view(direction) == "up" ? ": it skips what is applied." : " then."));
    }
}

} // namespace

void leave_out_example(Connection& connection, Steps& steps, bool asked_for,
                       const Runner::Progress& progress) {
    for (const Migration* step : steps) {
        if (step->set != Set::example ||
            adoption::place_of(connection, *step, soon()) != adoption::Place::foreign) {
            continue;
        }
        if (asked_for) {
            throw Error(
                Action::stop,
                fmt::format("{} stands here already and is not the example's: give the example a database "
                            "or a schema (DB_SCHEMA) of its own",
                            step->name));
        }
        progress(fmt::format("the worked example is left out: {} stands here already and is not its table",
                             step->name));
        std::erase_if(steps, [](const Migration* each) { return each->set == Set::example; });
        return;
    }
}

std::vector<std::string> Stepper::up(const Steps& steps, const std::optional<std::string>& processing,
                                     const std::vector<std::string>& conversions) {
    Transaction transaction(connection_, whole(steps), begin);
    prepare_schema();
    prepare_history();
    // Locks and doorbell have other names from that step on. Where the relays' own step is to come, none can
    // live.
    const auto comes = [&](std::string_view name) {
        return std::ranges::any_of(steps, [name](const Migration* step) { return step->name == name; });
    };
    if (comes("own_names") && !comes("relay")) {
        refuse_while_relays_live(connection_, "up", soon());
    }
    // Asked before the steps: their columns are made with md5, which a server in FIPS mode refuses.
    const bool rehash = lacks_md5(steps);
    // Files read it as a setting of this transaction; SQL has no parameters for a script.
    connection_.query("SELECT set_config('outbox.processing', $1, true)", {processing.value_or("")}, soon());
    std::vector<std::string> done;
    done.reserve(steps.size() + conversions.size() + 1);
    // Conversions come before the first file, which counts on the types.
    for (const std::string& statement : conversions) {
        convert(statement);
        done.push_back("done: " + statement);
    }
    for (const Migration* migration : steps) {
        done.push_back(timed(*migration, "up", [&] { run_up(*migration); }));
    }
    if (rehash) {
        connection_.query("SELECT outbox_rehash()", {}, Deadline::in(patience_.step));
        done.emplace_back(
            "the server refuses md5 (FIPS): the buckets of this outbox are made without it now");
    }
    // A crash of the server empties an UNLOGGED table, and with it events that were promised.
    if (make_logged(connection_, Deadline::in(patience_.step))) {
        done.emplace_back(
            "outbox_events was UNLOGGED, so a crash of the server would have emptied it: it is LOGGED now");
    }
    // Functions of served tables name the schema as text; it may have been renamed since.
    for (const std::string& table : captures::follow_outbox(connection_, Deadline::in(patience_.step))) {
        done.push_back(fmt::format("{} is served by a function that follows the outbox's schema now", table));
    }
    // A note in the structure itself, by which a dump without data is recognised.
    if (!steps.empty()) {
        history::note_structure(connection_, soon());
    }
    commit(transaction, steps, "up");
    return done;
}

std::vector<std::string> Stepper::down(const Steps& steps,
                                       const std::function<void(const std::vector<Undo>&)>& agree) {
    Transaction transaction(connection_, whole(steps), begin);
    prepare_history();
    const auto history = history::read(connection_, soon()); // with what was adopted
    std::vector<Undo> undos;
    undos.reserve(steps.size());
    // What was adopted is not dropped: the history knows, the file does not.
    for (const Migration* step : steps) {
        const auto applied = std::ranges::find(history, step->version, &Applied::version);
        undos.push_back({step, applied != history.end() && applied->adopted});
    }
    agree(undos);
    std::vector<std::string> done;
    done.reserve(undos.size());
    for (const Undo& undo : undos) {
        done.push_back(timed(*undo.migration, "down", [&] { run_down(undo); }));
        if (undo.adopted) {
            done.push_back(
                fmt::format("{} stays: it stood here before, or nobody can tell", undo.migration->name));
        }
    }
    history::note_structure(connection_, soon());
    commit(transaction, steps, "down");
    return done;
}

void Stepper::convert(const std::string& statement) {
    try {
        connection_.script(statement, Deadline::in(patience_.step));
    } catch (const DatabaseError& error) {
        throw Error(error.action() == Action::quarantine ? Action::stop : error.action(),
                    fmt::format("{} failed, and nothing was changed:\n{}", statement, readable(error)));
    }
}

Deadline Stepper::whole(const Steps& steps) const {
    return Deadline::in(patience_.step * (steps.size() + 1));
}

/// A schema of the user's choosing is made where it is missing; a role without the right is told what to
/// type.
void Stepper::prepare_schema() {
    if (!connection_.query("SELECT FROM pg_namespace WHERE nspname = $1", {options_.schema}, soon())
             .empty()) {
        return;
    }
    try {
        connection_.query(fmt::format("CREATE SCHEMA {}", quoted(options_.schema)), {}, soon());
    } catch (const DatabaseError& error) {
        throw Error(Action::stop,
                    fmt::format("schema {0} (DB_SCHEMA) does not exist, and role {1} cannot create it:\n{2}\n"
                                "Let the database's owner type:\n  CREATE SCHEMA {0} AUTHORIZATION {1};",
                                quoted(options_.schema), quoted(options_.user), readable(error)));
    }
}

bool Stepper::lacks_md5(const Steps& steps) {
    // A refused function must not end the transaction.
    connection_.query(
        "DO $$ BEGIN PERFORM set_config('outbox.md5', '', true); PERFORM md5(current_database()::text);"
        " EXCEPTION WHEN OTHERS THEN PERFORM set_config('outbox.md5', 'refused', true); END $$",
        {}, soon());
    if (connection_.query("SELECT current_setting('outbox.md5')", {}, soon()).bytes(0, 0) != "refused") {
        return false;
    }
    const auto column =
        connection_.query("SELECT pg_get_expr(d.adbin, d.adrelid) LIKE '%md5%' FROM pg_attrdef AS d"
                          " JOIN pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum"
                          " WHERE d.adrelid = to_regclass('outbox_events') AND a.attname = 'bucket'",
                          {}, soon());
    if (!column.empty()) {
        return column.boolean(0, 0);
    }
    const bool adopts =
        std::ranges::any_of(steps, [](const Migration* step) { return step->name == "outbox_events"; });
    const bool stands = !connection_.query("SELECT to_regclass('outbox_events')", {}, soon()).is_null(0, 0);
    if (adopts && stands && !connection_.query("SELECT FROM outbox_events LIMIT 1", {}, soon()).empty()) {
        throw Error(Action::stop,
                    "the server refuses md5 (FIPS), without which the rows of outbox_events cannot be "
                    "adopted: rename the "
                    "table, run up again, and INSERT its rows into the new outbox_events in their order");
    }
    return false;
}

void Stepper::prepare_history() {
    try {
        history::prepare(connection_, soon());
    } catch (const DatabaseError& error) {
        if (error.sqlstate() != "42501") {
            throw;
        }
        throw Error(Action::stop, fmt::format("role {0} may not create tables here:\n{1}\n"
                                              "Make it the owner of the database, or let its owner type:\n"
                                              "  GRANT CREATE ON SCHEMA {2} TO {0};",
                                              quoted(options_.user), readable(error), schema_name(options_)));
    }
}

std::string Stepper::timed(const Migration& migration, const char* direction,
                           const std::function<void()>& work) {
    const std::string file = file_name(migration, direction);
    const auto started = SteadyClock::now();
    try {
        work();
    } catch (const DatabaseError& error) {
        const bool taken = error.sqlstate() == "42P07" || error.sqlstate() == "42710";
        throw Error(
            error.action(),
            fmt::format("{} failed, and nothing of it was kept, nor of what came before it:\n{}{}", file,
                        readable(error),
                        taken ? "\nRename what has that name, or give the outbox a schema of its own with "
                                "DB_SCHEMA"
                              : ""));
    }
    const auto took = std::chrono::duration_cast<milliseconds>(SteadyClock::now() - started);
    return fmt::format("{} done in {} ms", file, took.count());
}

void Stepper::run_up(const Migration& migration) {
    const Deadline deadline = Deadline::in(patience_.step);
    const auto started = SteadyClock::now();
    // The example's table may stand there already, made by the same file in an earlier version.
    bool adopted = migration.set == Set::example &&
                   adoption::place_of(connection_, migration, deadline) == adoption::Place::ours;
    if (!adopted) {
        adoption::Comment comment(connection_, migration, deadline);
        run_script(migration, migration.up);
        adopted = comment.restore();
    }
    const auto took = std::chrono::duration_cast<milliseconds>(SteadyClock::now() - started);
    history::add(connection_, migration, took, adopted, deadline);
}

void Stepper::run_down(const Undo& undo) {
    const Deadline deadline = Deadline::in(patience_.step);
    if (undo.migration->set == Set::outbox || !undo.adopted) {
        adoption::Comment comment(connection_, *undo.migration, deadline);
        comment.tell(undo.adopted);
        run_script(*undo.migration, *undo.migration->down);
        comment.restore();
    }
    history::remove(connection_, *undo.migration, deadline);
}

void Stepper::run_script(const Migration& migration, const std::string& sql) {
    const Deadline deadline = Deadline::in(patience_.step);
    // The setting was local to the transaction: if it is gone, so is the transaction.
    connection_.script(sql, deadline);
    const auto mark = connection_.query("SELECT current_setting('outbox.migrating', true)", {}, deadline);
    if (mark.bytes(0, 0) != "yes") {
        throw Error(
            Action::stop,
            fmt::format("{} holds a COMMIT or ROLLBACK of its own, so part of it may be applied without a "
                        "line of history: take that statement out, and repair the database by hand",
                        label(migration.version, migration.name)));
    }
}

} // namespace outbox::migrations
