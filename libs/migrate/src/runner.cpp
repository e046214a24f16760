#include "advice.hpp"
#include "captures.hpp"
#include "history.hpp"
#include "server.hpp"
#include "table_mapper.hpp"

#include <outbox/migrate/runner.hpp>
#include <outbox/postgres/transaction.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace outbox::migrations {
namespace {

using postgres::Connection;
using postgres::DatabaseError;
using postgres::Transaction;

constexpr milliseconds short_answer{30'000};

Deadline soon() {
    return Deadline::in(short_answer);
}

Steps agreed(Plan plan) {
    if (!plan) {
        throw Error(Action::stop, plan.error().why);
    }
    return std::move(*plan);
}

void create_history(Connection& connection, const std::string& user) {
    try {
        history::create(connection, soon());
    } catch (const DatabaseError& error) {
        if (error.sqlstate() != "42501") {
            throw;
        }
        throw Error(Action::stop, fmt::format("role {0} may not create tables here:\n{1}\n"
                                              "Make it the owner of the database, or let its owner type:\n"
                                              "  GRANT CREATE ON SCHEMA public TO {0};",
                                              quoted(user), readable(error)));
    }
}

/// Writers of a table that is served would fail without the outbox.
void refuse_while_served(Connection& connection, const Steps& steps) {
    const bool takes_outbox = std::any_of(
        steps.begin(), steps.end(), [](const Migration* step) { return step->name == "outbox_events"; });
    const auto served = takes_outbox ? captures::all(connection, soon()) : std::vector<captures::Capture>();
    if (!served.empty()) {
        throw Error(Action::stop, fmt::format("the rows of {0} still become events: outbox-migrate unmap {0} "
                                              "first",
                                              served.front().table));
    }
}

/// One line for each; nothing while there is none.
std::string served_tables(Connection& connection) {
    std::string lines;
    for (const captures::Capture& capture : captures::all(connection, soon())) {
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

void Runner::up(const std::optional<std::string>& processing) {
    Connection connection = open_or_create(options_, Deadline::in(patience_.connect), progress_);
    take_lock(connection);
    create_history(connection, options_.user);
    fill_checksums(connection);
    const Steps steps = agreed(plan_up(files_, history::read(connection, soon())));
    connection.query("SELECT set_config('outbox.processing', $1, false)", {processing.value_or("")}, soon());
    for (const Migration* migration : steps) {
        step(connection, *migration, Direction::up);
    }
    if (make_logged(connection, Deadline::in(patience_.step))) {
        progress_(
            "outbox_events was UNLOGGED, so a crash of the server would have emptied it: it is LOGGED now");
    }
    for (const std::string& line : advice(connection, soon())) {
        progress_(line);
    }
    progress_(fmt::format("{} is at version {}{}", quoted(options_.database), files_.back().version,
                          steps.empty() ? "; there was nothing to do" : ""));
}

void Runner::down(int count) {
    Connection connection = open_existing(options_, Deadline::in(patience_.connect));
    take_lock(connection);
    fill_checksums(connection);
    const auto applied = history::read(connection, soon());
    const Steps steps = agreed(plan_down(files_, applied, count));
    refuse_while_served(connection, steps);
    for (const Migration* migration : steps) {
        step(connection, *migration, Direction::down);
    }
    if (steps.size() < static_cast<std::size_t>(count)) {
        progress_(fmt::format("{} asked for, but only {} applied: all are taken back", count, steps.size()));
    }
    progress_(
        fmt::format("{} is at version {}", quoted(options_.database),
                    steps.size() == applied.size() ? 0 : applied[applied.size() - steps.size() - 1].version));
}

std::string Runner::status() {
    Connection connection = open_existing(options_, Deadline::in(patience_.connect));
    fill_checksums(connection);
    return table_of(status_of(files_, history::read(connection, soon()))) + served_tables(connection);
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

int Runner::version() {
    Connection connection = open_existing(options_, Deadline::in(patience_.connect));
    const auto applied = history::read(connection, soon());
    return applied.empty() ? 0 : applied.back().version;
}

/// Polls: a session blocked in pg_advisory_lock() holds a snapshot, and with it back the whole server's
/// vacuum.
void Runner::take_lock(Connection& connection) {
    const Deadline limit = Deadline::in(patience_.lock);
    std::string announced;
    while (!history::try_lock(connection, soon())) {
        const std::string holder = history::lock_holder(connection, soon()).value_or(announced);
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

void Runner::fill_checksums(Connection& connection) {
    for (Migration& migration : files_) {
        migration.checksum = history::checksum(connection, migration.up, soon());
    }
}

void Runner::step(Connection& connection, const Migration& migration, Direction direction) {
    const std::string file = fmt::format("{}.{}.sql", label(migration.version, migration.name),
                                         direction == Direction::up ? "up" : "down");
    const auto started = SteadyClock::now();
    try {
        run_file(connection, migration, direction);
    } catch (const CommitInDoubt& error) {
        throw CommitInDoubt(
            fmt::format("the connection was lost while {} was committed, so whether it counts is "
                        "not known:\n  {}\n"
                        "outbox-migrate status tells. Running up again is safe: it skips what is "
                        "applied.",
                        file, error.what()));
    } catch (const DatabaseError& error) {
        throw Error(error.action(),
                    fmt::format("{} failed, and nothing of it was kept:\n{}", file, readable(error)));
    }
    const auto took = std::chrono::duration_cast<milliseconds>(SteadyClock::now() - started);
    progress_(fmt::format("{} done in {} ms", file, took.count()));
}

/// The file and its line of history, in one transaction.
void Runner::run_file(Connection& connection, const Migration& migration, Direction direction) {
    const Deadline deadline = Deadline::in(patience_.step);
    const auto started = SteadyClock::now();
    // The local setting ends with the transaction: afterwards it tells whether the file ended it.
    Transaction transaction(connection, deadline, "BEGIN; SET LOCAL outbox.migrating = 'yes'");
    connection.script(direction == Direction::up ? migration.up : *migration.down, deadline);
    const auto mark = connection.query("SELECT current_setting('outbox.migrating', true)", {}, deadline);
    if (mark.bytes(0, 0) != "yes") {
        throw Error(
            Action::stop,
            fmt::format("{} holds a COMMIT or ROLLBACK of its own, so part of it may be applied without a "
                        "line of history: take that statement out, and repair the database by hand",
                        label(migration.version, migration.name)));
    }
    if (direction == Direction::up) {
        const auto took = std::chrono::duration_cast<milliseconds>(SteadyClock::now() - started);
        history::add(connection, migration, took, deadline);
    } else {
        history::remove(connection, migration.version, deadline);
    }
    transaction.commit();
}

} // namespace outbox::migrations
