// Serves a table of the user's own: a trigger turns each inserted row into an event. Everything that
// could go wrong is looked at before anything is changed: columns, rows that stand already, other
// outboxes, publications. Taking a table over from Debezium is the delicate case: rows must go one way
// or the other, never both and never neither, so the publication loses the table and our trigger comes
// in one transaction, while no writer has one open.

#include "table_mapper.hpp"

#include "handover.hpp"
#include "server.hpp"

#include <outbox/core/error.hpp>
#include <outbox/postgres/transaction.hpp>

#include <fmt/format.h>

#include <thread>

namespace outbox::migrations {
namespace {

using captures::Table;
using postgres::DatabaseError;
using postgres::Transaction;

constexpr auto lock_not_available = "55P03";
constexpr auto invalid_name = "42602";
constexpr auto syntax_error = "42601";

/// Once a table is served, its keys stay as they are: one that was spelled otherwise would be another key.
Blanks blanks_for(const std::optional<captures::Capture>& before, const MapOptions& options) {
    const bool kept =
        before ? before->body.find("concat(") != std::string::npos : options.handover.has_value();
    return kept ? Blanks::kept : Blanks::cut;
}

/// @throws UsageError for a text that is no table's name in SQL
void require_name(postgres::Connection& connection, const std::string& table, Deadline deadline) {
    try {
        connection.query("SELECT to_regclass($1)", {table}, deadline);
    } catch (const DatabaseError& error) {
        if (error.sqlstate() != invalid_name && error.sqlstate() != syntax_error) {
            throw;
        }
        throw UsageError(
            fmt::format("{} cannot be read as a table's name: outbox-migrate status has those that "
                        "are served, in quotes where they need them",
                        table));
    }
}

} // namespace

/// The deadline of an ordinary question.
Deadline TableMapper::soon() const {
    return Deadline::in(std::chrono::seconds(30));
}

/// Serves the table, or brings what serves it up to date with [table].
void TableMapper::map(const Mapping& mapping, const MapOptions& options) {
    const Table table = captures::find(connection_, mapping, soon());
    const auto before = captures::of(connection_, table, soon());
    auto sql = capture_sql(mapping, table.columns, blanks_for(before, options));
    if (!sql) {
        throw Error(Action::stop, sql.error().why);
    }
    // This session writes texts as the trigger's function will, so that rows that stand already
    // look alike.
    captures::pin_settings(connection_, soon());
    // Served without a cut, then with one: rows of the time between went through both, and none can
    // tell which.
    if (before && options.handover && !before->cut) {
        throw Error(
            Action::stop,
            fmt::format("{} is served already, and was without --publication: its rows have gone both "
                        "ways since. outbox-migrate unmap {} first",
                        table.name, table.name));
    }
    // The same text means that nothing changed: to run `up` twice does nothing the second time.
    if (before && before->body == captures::body_of(connection_, table, *sql, soon())) {
        progress_(fmt::format("{} is served already", table.name));
    } else if (before) {
        replace(table, *sql, *before);
    } else {
        refuse_hidden(table);
        tell(table, *sql);
        tell_of_other_outboxes(table);
        options.handover ? tell_of_debeziums_texts(table, mapping) : tell_of_publications(table);
        check_rows(table, *sql, options);
        options.handover ? cut(table, *sql, options) : install(table, *sql, options);
    }
    // The cut is made by now, perhaps by an earlier call that was interrupted; this waits for
    // Debezium's part.
    if (options.handover) {
        Handover(connection_, progress_, patience_)
            .finish(table.name, *captures::of(connection_, table, soon())->cut);
    }
}

void TableMapper::check(const Mapping& mapping, const MapOptions& options) {
    const Table table = captures::find(connection_, mapping, soon());
    auto sql = capture_sql(mapping, table.columns);
    if (!sql) {
        throw Error(Action::stop, sql.error().why);
    }
    // Served already: what `map` would look at was looked at then.
    if (captures::of(connection_, table, soon())) {
        return;
    }
    refuse_hidden(table);
    check_rows(table, *sql, options);
    if (options.handover) {
        Handover(connection_, progress_, patience_).check(table, *options.handover);
    } else {
        refuse_unsaid(table, options);
    }
}

/// A table that is served already has no rows left to look at.
void TableMapper::refuse_hidden(const Table& table) {
    if (!table.hidden_from.empty()) {
        throw Error(
            Action::stop,
            fmt::format("table {1} has row-level security that hides rows from role {0}, so those that stand "
                        "there would be lost without a word: ALTER ROLE {0} BYPASSRLS; or ALTER TABLE {1} NO "
                        "FORCE ROW LEVEL SECURITY;",
                        table.hidden_from, table.name));
    }
}

void TableMapper::refuse_unsaid(const Table& table, const MapOptions& options) {
    if (!options.existing &&
        !connection_.query(fmt::format("SELECT FROM {} LIMIT 1", table.name), {}, soon()).empty()) {
        throw Error(
            Action::stop,
            fmt::format("{} holds rows, and only you can know whether they were sent: run up with "
                        "--existing=send (they become events) or --existing=ignore (only new rows do)",
                        table.name));
    }
}

void TableMapper::tell_of_other_outboxes(const Table& table) {
    const auto found = connection_.query(
        "SELECT string_agg(quote_ident(n.nspname), ', ' ORDER BY n.nspname) FROM pg_trigger AS t"
        " JOIN pg_proc AS f ON f.oid = t.tgfoid JOIN pg_namespace AS n ON n.oid = f.pronamespace"
        " WHERE t.tgrelid = $1::oid AND t.tgname ~ '^outbox_capture(_[0-9a-f]{8})?$'"
        " AND n.oid <> (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('outbox_events'))",
        {table.oid}, soon());
    if (!found.is_null(0, 0)) {
        progress_(
            fmt::format("{} is served by the outbox in schema {} too: each of its rows becomes an event of "
                        "each outbox",
                        table.name, found.text(0, 0)));
    }
}

/// Says what inserts must keep from now on, a line each.
void TableMapper::tell(const Table& table, const CaptureSql& sql) {
    for (const std::string& notice : sql.notices) {
        progress_(fmt::format("{}: {}", table.name, notice));
    }
}

/// Says when the table is in a publication: Debezium may be reading it.
void TableMapper::tell_of_publications(const Table& table) {
    const auto found =
        connection_.query("SELECT string_agg(quote_ident(pubname), ', ' ORDER BY pubname)"
                          " FROM pg_publication_tables AS t JOIN pg_class AS c ON c.oid = $1::oid"
                          " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
                          " WHERE t.schemaname = n.nspname AND t.tablename = c.relname",
                          {table.oid}, soon());
    if (!found.is_null(0, 0)) {
        progress_(
            fmt::format("{} is published by {}: if Debezium reads that, each row is sent twice from now on, "
                        "and --publication with --slot would have taken it over",
                        table.name, found.text(0, 0)));
    }
}

/// Debezium reads columns as they are, or in types of its own.
void TableMapper::tell_of_debeziums_texts(const Table& table, const Mapping& mapping) {
    if (const auto key = key_unlike_debeziums(mapping, table.columns)) {
        progress_(fmt::format("{}: {}", table.name, *key));
    }
    if (table.columns.at(mapping.id).type == "uuid") {
        return;
    }
    const auto found = connection_.query(
        fmt::format("SELECT min(n.{0}::text) FROM {1} AS n WHERE n.{0}::text <> n.{0}::text::uuid::text",
                    quoted(mapping.id), table.name),
        {}, Deadline::in(patience_.step));
    if (!found.is_null(0, 0)) {
        throw Error(
            Action::stop,
            fmt::format("{} holds ids such as {}, which Debezium sends as they are and PostgreSQL spells in"
                        " another way as uuid: type ALTER TABLE {} ALTER {} TYPE uuid USING {}::uuid, so that"
                        " consumers see one spelling before and after, then run this again",
                        table.name, found.text(0, 0), table.name, quoted(mapping.id), quoted(mapping.id)));
    }
    progress_(
        fmt::format("{}: column {} is no uuid: consumers see ids as PostgreSQL spells them (lower case, with"
                    " dashes) from the cut on",
                    table.name, quoted(mapping.id)));
}

/// Rows that stand already show what inserts will bring.
void TableMapper::check_rows(const Table& table, const CaptureSql& sql, const MapOptions& options) {
    if (options.existing == "ignore") {
        return;
    }
    const std::string way_out = "Correct [table] or the rows, or leave them alone with --existing=ignore.";
    try {
        const auto misfits = captures::find_misfits(connection_, table, sql, Deadline::in(patience_.step));
        if (misfits.count > 0) {
            throw Error(
                Action::stop,
                fmt::format("{} row(s) of {} cannot become events, such as the one whose id is {}: what"
                            " an event needs is NULL, longer than 255 characters, or headers that are"
                            " no JSON object. {}",
                            misfits.count, table.name, misfits.example, way_out));
        }
    } catch (const DatabaseError& error) {
        if (error.action() != Action::quarantine) {
            throw;
        }
        throw Error(Action::stop, fmt::format("a row of {} cannot become an event:\n{}\n{}", table.name,
                                              readable(error), way_out));
    }
}

/// Another function for a table that is served already: columns changed, or [table] did.
void TableMapper::replace(const Table& table, const CaptureSql& sql, const captures::Capture& before) {
    tell(table, sql);
    Transaction transaction(connection_, soon());
    captures::put(connection_, table, sql, before, before.cut, soon());
    transaction.commit();
    progress_(fmt::format("{} is served with other columns from now on: {}", table.name, sql.description));
}

/// The trigger comes while nobody writes, together with what becomes of the rows that stand there.
void TableMapper::install(const Table& table, const CaptureSql& sql, const MapOptions& options) {
    std::int64_t sent = 0;
    while_nobody_writes(table.name, [&] {
        sent = settle_existing(table, sql, options);
        captures::put(connection_, table, sql, {}, {}, soon());
    });
    progress_(fmt::format(
        "{} is served from now on: {}{}", table.name, sql.description,
        options.existing == "send" ? fmt::format("; {} row(s) that stood there become events", sent) : ""));
}

std::int64_t TableMapper::settle_existing(const Table& table, const CaptureSql& sql,
                                          const MapOptions& options) {
    if (options.existing == "send") {
        return captures::send_existing(connection_, table, sql, Deadline::in(patience_.step));
    }
    refuse_unsaid(table, options);
    return 0;
}

/// In one transaction the table leaves Debezium's publication and gets our trigger, while nobody writes: each
/// row goes one way or the other.
void TableMapper::cut(const Table& table, const CaptureSql& sql, const MapOptions& options) {
    Handover handover(connection_, progress_, patience_);
    handover.check(table, *options.handover);
    // Relays stand still until Debezium has delivered what was committed before the cut; else a
    // later event of a key could be in Kafka before an earlier one that Debezium still has to read.
    handover.pause(table.name);
    try {
        while_nobody_writes(table.name, [&] {
            // The position is taken under the lock: every row that went through Debezium
            // was committed before it.
            const auto lsn = connection_.query("SELECT pg_current_wal_insert_lsn()", {}, soon()).text(0, 0);
            captures::put(connection_, table, sql, {},
                          captures::Cut{options.handover->publication, options.handover->slot, lsn}, soon());
            handover.leave_publication(table, options.handover->publication);
        });
    } catch (const CommitInDoubt&) {
        throw; // the same command finds out, and until then nothing may be sent
    } catch (const Error&) {
        // Nothing was changed, so relays may go on at once.
        if (connection_.usable()) {
            handover.resume(table.name);
        }
        throw;
    }
    progress_(fmt::format("{} is served from now on, and not by publication {} any more: {}", table.name,
                          options.handover->publication, sql.description));
}

/// Takes the trigger off. Events that were captured are still sent.
void TableMapper::unmap(const std::string& table) {
    require_name(connection_, table, soon());
    for (const captures::Capture& capture : captures::all(connection_, soon())) {
        const auto same =
            connection_.query("SELECT to_regclass($1) = to_regclass($2)", {capture.table, table}, soon());
        if (same.boolean(0, 0)) {
            while_nobody_writes(capture.table, [&] { captures::remove(connection_, capture, soon()); });
            progress_(fmt::format("{} is not served any more; its events that are not sent yet still will be",
                                  capture.table));
            return;
        }
    }
    if (captures::forget(connection_, table, soon())) {
        progress_(fmt::format("{} is not served any more; its trigger was gone already", table));
        return;
    }
    throw Error(Action::stop,
                fmt::format("{} is not served: outbox-migrate status names the tables that are", table));
}

/// Writers queue up behind a lock that is waited for, so each try is short.
void TableMapper::while_nobody_writes(const std::string& table, const Step& step) {
    const Deadline limit = Deadline::in(patience_.writers);
    for (bool announced = false;; announced = true) {
        try {
            Transaction transaction(connection_, Deadline::in(patience_.step),
                                    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '2s'");
            transaction.query(fmt::format("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE", table));
            step();
            transaction.commit();
            return;
        } catch (const DatabaseError& error) {
            // Only the lock is worth waiting for; any other error ends the command.
            if (error.sqlstate() != lock_not_available || limit.passed()) {
                throw;
            }
        }
        if (!announced) {
            progress_(fmt::format("waiting until no transaction that has written to {} is open", table));
        }
        std::this_thread::sleep_for(patience_.lock_poll * 5);
    }
}

} // namespace outbox::migrations
