// The commands of outbox-migrate, one function each. All that change something take the migration lock
// first and hold it to the end of the session, so two `up` of a deployment run one after the other.
// `up` looks before it changes (fitness), changes in one transaction (Stepper), and mends afterwards
// what others broke.

#include "advice.hpp"
#include "captures.hpp"
#include "fitness.hpp"
#include "history.hpp"
#include "losses.hpp"
#include "server.hpp"
#include "steps.hpp"
#include "table_mapper.hpp"

#include <outbox/migrate/runner.hpp>
#include <outbox/postgres/transaction.hpp>
#include <outbox/store/served.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace outbox::migrations {
namespace {

using postgres::Connection;
using postgres::Transaction;

constexpr milliseconds short_answer{30'000};

/// The deadline of an ordinary question.
Deadline soon() {
    return Deadline::in(short_answer);
}

/// The plan, or its refusal as an error.
Steps agreed(Plan plan) {
    if (!plan) {
        throw Error(Action::stop, plan.error().why);
    }
    return std::move(*plan);
}

/// Version 0.1 went by the role's search_path: an outbox that this finds must not get a second one beside it
/// unseen.
void refuse_other_place(Connection& connection, const std::string& schema) {
    if (schema.starts_with("pg_") || schema == "information_schema") {
        throw Error(Action::stop, fmt::format("DB_SCHEMA={} is the server's own: name another", schema));
    }
    const auto found =
        connection.query("SELECT n.nspname FROM pg_settings AS s, unnest(string_to_array(s.reset_val, ',')) "
                         "WITH ORDINALITY AS p(part, n),"
                         " pg_namespace AS n, pg_class AS c WHERE s.name = 'search_path' AND n.nspname = CASE"
                         " trim(p.part) WHEN '\"$user\"' THEN current_user ELSE trim(trim(p.part), '\"') END"
                         " AND c.relnamespace = n.oid AND c.relname = 'outbox_migrations' AND "
                         "to_regclass('outbox_migrations') IS NULL"
                         " ORDER BY p.n LIMIT 1",
                         {}, soon());
    if (schema == "public" && !found.empty()) {
        throw Error(Action::stop,
                    fmt::format("an outbox stands in schema {0}, by this role's search_path: type "
                                "DB_SCHEMA={0} with every program",
                                found.text(0, 0)));
    }
}

/// Writers of a table that is served would fail without the outbox.
void refuse_while_served(Connection& connection) {
    const auto served = captures::all(connection, soon());
    if (!served.empty()) {
        throw Error(Action::stop, fmt::format("the rows of {0} still become events: outbox-migrate unmap {0} "
                                              "first",
                                              served.front().table));
    }
}

/// @throws Error naming what would be lost, unless there is nothing
void refuse_losses(const std::vector<Loss>& losses) {
    if (losses.empty()) {
        return;
    }
    std::string lost;
    for (const Loss& loss : losses) {
        lost += fmt::format("{}{} row(s) of {}", lost.empty() ? "" : ", ", loss.rows, loss.table);
    }
    throw Error(Action::stop,
                fmt::format("{} would be lost: nothing was changed. If that is what you want, type the "
                            "same with --yes",
                            lost));
}

/// The part of the history that belongs to the chosen sets.
std::vector<Applied> chosen(std::vector<Applied> history, const Sets& sets) {
    std::erase_if(history, [&](const Applied& applied) { return !sets.has(applied.set); });
    return history;
}

/// Whether anything of the set was ever applied.
bool knows(const std::vector<Applied>& history, Set set) {
    return std::ranges::any_of(history, [set](const Applied& applied) { return applied.set == set; });
}

/// The newest version; 0 when there is none.
int newest(const std::vector<Applied>& history) {
    return history.empty() ? 0 : history.back().version;
}

/// One line for each; nothing while there is none.
std::string served_tables(Connection& connection) {
    std::string lines;
    const auto unserved = store::unserved_tables(connection, soon());
    for (const captures::Capture& capture : captures::all(connection, soon())) {
        if (std::any_of(unserved.begin(), unserved.end(),
                        [&](const store::Unserved& each) { return each.table == capture.table; })) {
            continue; // its line says so elsewhere
        }
        lines += fmt::format(
            "{}served: {}  {}{}\n", lines.empty() ? "\n" : "", capture.table, capture.description,
            capture.cut ? fmt::format("  (from Debezium: publication {}, slot {}, cut at {})",
                                      capture.cut->publication, capture.cut->slot, capture.cut->lsn)
                        : "");
    }
    return lines;
}

} // namespace

Runner::Runner(postgres::ConnectOptions options, std::vector<Migration> files, Progress progress,
               Patience patience)
    : options_(std::move(options)),
      files_(std::move(files)),
      progress_(std::move(progress)),
      patience_(patience) {}

/// Opens or creates the database. One that this call created goes again when the steps fail.
void Runner::up(const std::optional<std::string>& processing, const Sets& sets, bool convert) {
    bool created = false;
    Connection connection = open_or_create(options_, Deadline::in(patience_.connect), progress_, created);
    try {
        bring_up(connection, processing, sets, convert);
    } catch (const CommitInDoubt&) {
        // Nobody knows whether the steps count, so the database stays as it is; `status` tells.
        throw;
    } catch (const Error&) {
        connection.close();
        if (created && drop_created(options_, soon())) {
            progress_(fmt::format("database {} dropped again", quoted(options_.database)));
        }
        throw;
    }
}

/// The steps of `up`, under the lock.
void Runner::bring_up(Connection& connection, const std::optional<std::string>& processing, const Sets& sets,
                      bool convert) {
    // The lock is the session's: it is held until this `up` is done, whatever comes between.
    take_lock(connection);
    refuse_other_place(connection, options_.schema);
    fill_checksums(connection);
    auto history = history::read(connection, soon());
    // A dump of the structure alone, restored: an empty outbox, which becomes a new one with a new
    // id.
    if (sets.outbox && !knows(history, Set::outbox)) {
        if (const auto version = history::take_on_structure(connection, files_, soon())) {
            progress_(fmt::format("the outbox was restored without its data: it is a new one, of version {}",
                                  *version));
            history = history::read(connection, soon());
        }
    }
    // Refused here, before anything is changed: files and history that do not belong together.
    Steps steps = agreed(plan_up(files_, history));
    std::erase_if(steps, [&](const Migration* step) { return !sets.has(step->set); });
    // An outbox that has always stood without the example gets none by an upgrade.
    if (!sets.named && knows(history, Set::outbox) && !knows(history, Set::example)) {
        std::erase_if(steps, [](const Migration* step) { return step->set == Set::example; });
    }
    leave_out_example(connection, steps, !sets.outbox, progress_);
    // Types, kinds of table, numbering: what would break the promise is refused by name, or
    // converted.
    const auto conversions =
        sets.outbox ? require_fit(connection, convert, progress_, soon()) : std::vector<std::string>();
    Stepper stepper(connection, patience_, options_);
    const auto done = stepper.up(steps, processing, conversions);
    for (const std::string& line : done) {
        progress_(line);
    }
    // After the steps: what somebody has removed or reset by hand since the last `up`.
    mend_meta(connection, progress_, soon());
    mend_triggers(connection, files_, progress_, Deadline::in(patience_.step));
    mend_numbering(connection, progress_, Deadline::in(patience_.step));
    for (const std::string& line : advice(connection, soon())) {
        progress_(line);
    }
    progress_(fmt::format("{} is at version {}{}", quoted(options_.database),
                          newest(chosen(history::read(connection, soon()), sets)),
                          done.empty() ? "; there was nothing to do" : ""));
}

void Runner::down(int count, const Sets& sets, bool yes) {
    Connection connection = open_existing(options_, Deadline::in(patience_.connect));
    take_lock(connection);
    fill_checksums(connection);
    const auto history = history::read(connection, soon());
    agreed(plan_up(files_, history)); // both sets, also where only one is asked for
    const Steps steps = agreed(plan_down(files_, chosen(history, sets), count));
    const bool takes_outbox =
        std::ranges::any_of(steps, [](const Migration* step) { return step->set == Set::outbox; });
    // A table that is served would refuse its writers' inserts once the outbox is gone.
    if (takes_outbox) {
        refuse_while_served(connection);
    }
    Stepper stepper(connection, patience_, options_);
    // Asked within the transaction of the steps: no relay and no row can come in between.
    const auto done = stepper.down(steps, [&](const std::vector<Undo>& undo) {
        if (takes_outbox) {
            refuse_while_relays_live(connection, "down", soon());
        }
        const auto lost = losses(connection, undo, Deadline::in(patience_.step));
        refuse_losses(yes ? std::vector<Loss>() : lost);
    });
    for (const std::string& line : done) {
        progress_(line);
    }
    progress_(fmt::format("{} is at version {}", quoted(options_.database),
                          newest(chosen(history::read(connection, soon()), sets))));
}

std::string Runner::status(const Sets& sets) {
    Connection connection = open_existing(options_, Deadline::in(patience_.connect));
    fill_checksums(connection);
    const auto history = history::read(connection, soon());
    std::vector<Migration> files = files_;
    std::erase_if(files, [&](const Migration& file) { return !sets.has(file.set); });
    auto lines = status_of(files, chosen(history, sets));
    if (knows(history, Set::outbox) && !knows(history, Set::example)) {
        leave_out(lines, Set::example);
    }
    return table_of(lines) + (sets.outbox ? served_tables(connection) : "");
}

void Runner::check(const Mapping& mapping, const MapOptions& options) {
    if (auto connection = open_if_there(options_, Deadline::in(patience_.connect))) {
        TableMapper(*connection, progress_, patience_).check(mapping, options);
    } else {
        throw Error(Action::stop, fmt::format("database {} does not exist, and so no table {} in it",
                                              quoted(options_.database), quoted(mapping.name)));
    }
}

void Runner::map(const Mapping& mapping, const MapOptions& options) {
    Connection connection = open_existing(options_, Deadline::in(patience_.connect));
    take_lock(connection);
    TableMapper(connection, progress_, patience_).map(mapping, options);
}

void Runner::unmap(const std::string& table) {
    Connection connection = open_existing(options_, Deadline::in(patience_.connect));
    take_lock(connection);
    TableMapper(connection, progress_, patience_).unmap(table);
}

std::vector<std::string> Runner::unserved() {
    Connection connection = open_existing(options_, Deadline::in(patience_.connect));
    std::vector<std::string> lines;
    for (auto& each : store::unserved_tables(connection, soon())) {
        lines.push_back(std::move(each.why));
    }
    return lines;
}

int Runner::version(const Sets& sets) {
    Connection connection = open_existing(options_, Deadline::in(patience_.connect));
    return newest(chosen(history::read(connection, soon()), sets));
}

/// Polls: a session blocked in pg_advisory_lock() holds a snapshot, and with it back the whole server's
/// vacuum.
void Runner::take_lock(Connection& connection) {
    const Deadline limit = Deadline::in(patience_.lock);
    std::string announced;
    while (!history::try_lock(connection, options_.schema, soon())) {
        const std::string holder =
            history::lock_holder(connection, options_.schema, soon()).value_or(announced);
        if (limit.passed()) {
            throw Error(Action::retry,
                        fmt::format("another one still migrates this database: {}; run again later", holder));
        }
        if (holder != announced) {
            progress_(fmt::format("waiting for another one that migrates this database: {}", holder));
            announced = holder;
        }
        std::this_thread::sleep_for(patience_.lock_poll);
    }
}

/// The server computes them, so that no client needs a hash function.
void Runner::fill_checksums(Connection& connection) {
    for (Migration& migration : files_) {
        migration.checksum = history::checksum(connection, migration.up, soon());
    }
}

} // namespace outbox::migrations
