#include "handover.hpp"

#include "server.hpp"

#include <outbox/core/error.hpp>
#include <outbox/operator/status.hpp>
#include <outbox/operator/verbs.hpp>
#include <outbox/store/sql/migrate.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace outbox::migrations {
namespace {

using captures::Cut;
using captures::Table;

/// The deadline of an ordinary question.
Deadline soon() {
    return Deadline::in(std::chrono::seconds(30));
}

/// The reason under which relays are paused; a later command knows its own pause by it.
std::string why(const std::string& table) {
    return fmt::format("outbox-migrate takes {} over from Debezium", table);
}

/// Nothing more is claimed, and nothing is in flight.
bool is_quiet(const verbs::ShardStatus& shard) {
    return !shard.owner || !shard.owner_alive || shard.stopped || (shard.paused && shard.quiet);
}

/// The query that tells an operator by hand when Debezium has read up to the cut.
std::string question(const Cut& cut) {
    return fmt::format("SELECT confirmed_flush_lsn >= {} FROM pg_replication_slots WHERE slot_name = {}",
                       literal(cut.lsn), literal(cut.slot));
}

} // namespace

/// Is the table in this publication by name, whole, and is the slot what Debezium reads it by?
void Handover::check(const Table& table, const MapOptions::Handover& wanted) {
    const auto publication = connection_.query("SELECT puballtables, EXISTS (SELECT FROM pg_publication_rel"
                                               " WHERE prpubid = p.oid AND prrelid = $2::oid)"
                                               " FROM pg_publication AS p WHERE pubname = $1",
                                               {wanted.publication, table.oid}, soon());
    if (publication.empty()) {
        throw Error(Action::stop, fmt::format("there is no publication {}: \\dRp in psql names them",
                                              quoted(wanted.publication)));
    }
    if (publication.boolean(0, 0)) {
        throw Error(Action::stop,
                    fmt::format("publication {} is FOR ALL TABLES, which no table can leave. Make one that "
                                "names the tables, let the connector use it (publication.name), and run this "
                                "again: docs/your_table.md",
                                quoted(wanted.publication)));
    }
    if (!publication.boolean(0, 1)) {
        throw Error(
            Action::stop,
            fmt::format("publication {} does not name {}: a table that is in it with its whole schema "
                        "cannot leave it alone (docs/your_table.md)",
                        quoted(wanted.publication), table.name));
    }
    check_filters(table, wanted.publication);
    check_slot(wanted.slot);
}

/// What the publication leaves out, Debezium does not send; the trigger would.
void Handover::check_filters(const Table& table, const std::string& publication) {
    const auto found = connection_.query(
        "SELECT p.pubinsert, coalesce(to_jsonb(r) ->> 'prqual', to_jsonb(r) ->> 'prattrs') IS NOT NULL"
        " FROM pg_publication AS p JOIN pg_publication_rel AS r ON r.prpubid = p.oid"
        " WHERE p.pubname = $1 AND r.prrelid = $2::oid",
        {publication, table.oid}, soon());
    if (!found.boolean(0, 0)) {
        throw Error(Action::stop,
                    fmt::format("publication {} publishes no inserts, so Debezium sends nothing of {}"
                                " and there is nothing to take over: run up without --publication",
                                quoted(publication), table.name));
    }
    if (found.boolean(0, 1)) {
        throw Error(
            Action::stop,
            fmt::format(
                "publication {0} has {1} with a row filter or a list of columns, which the trigger does"
                " not know: it would send every row. If it may, type ALTER PUBLICATION {0} DROP TABLE"
                " {1}; ALTER PUBLICATION {0} ADD TABLE {1}; then run this again",
                quoted(publication), table.name));
    }
}

/// The slot must be pgoutput's, of this database, permanent and not lost: only then does its position
/// say what Debezium has delivered.
void Handover::check_slot(const std::string& name) {
    const auto slot = connection_.query(
        "SELECT s.slot_type, s.plugin, s.database, s.database IS NOT DISTINCT FROM current_database(), "
        "s.temporary,"
        " coalesce(to_jsonb(s) ->> 'invalidation_reason', CASE WHEN s.wal_status = 'lost' OR to_jsonb(s) ->>"
        " 'conflicting' = 'true' THEN 'its log is removed' END) FROM pg_replication_slots AS s"
        " WHERE s.slot_name = $1",
        {name}, soon());
    const auto refuse = [&](const std::string& why) {
        throw Error(Action::stop, fmt::format("{}: slot.name of the connector says its name", why));
    };
    if (slot.empty()) {
        refuse(fmt::format("there is no logical replication slot {}", name));
    }
    if (slot.bytes(0, 0) != "logical") {
        refuse(fmt::format("slot {} is {}, not logical", name, slot.text(0, 0)));
    }
    if (!slot.boolean(0, 3)) {
        refuse(fmt::format("slot {} belongs to database {}, not to this one", name, slot.text(0, 2)));
    }
    if (slot.bytes(0, 1) != "pgoutput") {
        throw Error(
            Action::stop,
            fmt::format("slot {} is read by the plugin {}, which knows no publications, so nothing can be"
                        " taken out of one: let the connector go over to plugin.name=pgoutput first"
                        " (docs/your_table.md)",
                        name, slot.text(0, 1)));
    }
    if (slot.boolean(0, 4)) {
        refuse(fmt::format("slot {} is temporary: it ends with its session", name));
    }
    if (!slot.is_null(0, 5)) {
        throw Error(
            Action::stop,
            fmt::format("slot {} is lost ({}): Debezium cannot read on, and which rows it has not delivered"
                        " nobody can tell here. Serve the table without --publication and --slot, and say by"
                        " --existing what becomes of the rows that stand there",
                        name, slot.text(0, 5)));
    }
}

/// Whether the relays are paused by this command, now or in an earlier attempt.
bool Handover::is_ours(const std::string& table) {
    return !connection_.query(store::sql::find_handover.sql, {why(table)}, soon()).empty();
}

/// Pauses everything, and waits until no shard has anything in flight.
void Handover::pause(const std::string& table) {
    verbs::pause(connection_, {}, {.why = why(table)});
    const Deadline limit = Deadline::in(patience_.quiet);
    while (true) {
        const auto status = verbs::read_status(connection_);
        if (std::all_of(status.shards.begin(), status.shards.end(), is_quiet)) {
            return;
        }
        if (limit.passed()) {
            resume(table);
            throw Error(Action::retry, "relays still have events in flight after a minute: see outbox-relay "
                                       "status, then run this again");
        }
        std::this_thread::sleep_for(patience_.lock_poll);
    }
}

void Handover::resume(const std::string& table) {
    if (is_ours(table)) {
        verbs::resume(connection_, {}, {.why = why(table)});
    }
}

void Handover::leave_publication(const Table& table, const std::string& publication) {
    connection_.query(fmt::format("ALTER PUBLICATION {} DROP TABLE {}", quoted(publication), table.name), {},
                      soon());
}

/// Says what keeps the relays waiting, each time that it is something else.
void Handover::tell_waiting(const Cut& cut, bool connected, bool has_read) {
    std::string why = connected ? "" : "; no connector reads the slot at this moment";
    if (has_read) {
        why = "; the connector has read it and not confirmed it, which it does with its next event or "
              "heartbeat "
              "(heartbeat.interval.ms)";
    }
    if (waiting_ != why) {
        progress_(fmt::format("the relays are paused until slot {} has confirmed all from before {}{}",
                              cut.slot, cut.lsn, why));
        waiting_ = std::move(why);
    }
}

/// Polls the slot until it has confirmed the cut. The pause ends with this, and not before.
void Handover::finish(const std::string& table, const Cut& cut) {
    const Deadline limit = Deadline::in(patience_.slot);
    while (true) {
        const auto slot = connection_.query(
            "SELECT s.confirmed_flush_lsn >= $2::pg_lsn, s.active, coalesce(r.sent_lsn >= $2::pg_lsn, false),"
            " s.wal_status IS NOT DISTINCT FROM 'lost' FROM pg_replication_slots AS s LEFT JOIN "
            "pg_stat_replication AS r ON r.pid = s.active_pid"
            " WHERE s.slot_name = $1",
            {cut.slot, cut.lsn}, soon());
        if (slot.empty()) {
            throw Error(Action::stop,
                        fmt::format("slot {} is gone, so nobody can tell here whether Debezium has delivered "
                                    "all rows of {} from before {}. When it has: outbox-relay resume",
                                    cut.slot, table, cut.lsn));
        }
        if (slot.boolean(0, 0)) {
            break;
        }
        if (slot.boolean(0, 3)) {
            throw Error(
                Action::stop,
                fmt::format("slot {} is lost: its log was removed before Debezium had read up to {}, so some"
                            " rows of {} from before the cut were never delivered. See which, send them"
                            " again, then: outbox-relay resume",
                            cut.slot, cut.lsn, table));
        }
        if (limit.passed()) {
            throw Error(
                Action::retry,
                fmt::format("slot {} has not confirmed {} yet, and the relays stay paused until it has. "
                            "Run this again to wait on, or, when this says t,\n  {}\n"
                            "outbox-relay resume",
                            cut.slot, cut.lsn, question(cut)));
        }
        tell_waiting(cut, slot.boolean(0, 1), slot.boolean(0, 2));
        std::this_thread::sleep_for(patience_.lock_poll);
    }
    const bool ours = is_ours(table);
    resume(table);
    progress_(fmt::format("Debezium has delivered all rows of {} from before the cut{}", table,
                          ours ? "; the relays go on" : ""));
}

} // namespace outbox::migrations
