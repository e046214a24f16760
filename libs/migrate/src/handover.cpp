#include "handover.hpp"

#include "server.hpp"

#include <outbox/core/error.hpp>
#include <outbox/operator/status.hpp>
#include <outbox/operator/verbs.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace outbox::migrations {
namespace {

using captures::Cut;
using captures::Table;

Deadline soon() {
    return Deadline::in(std::chrono::seconds(30));
}

std::string why(const std::string& table) {
    return fmt::format("outbox-migrate takes {} over from Debezium", table);
}

/// Nothing more is claimed, and nothing is in flight.
bool is_quiet(const verbs::ShardStatus& shard) {
    return !shard.owner || !shard.owner_alive || shard.stopped || (shard.paused && shard.quiet);
}

std::string question(const Cut& cut) {
    return fmt::format("SELECT confirmed_flush_lsn >= {} FROM pg_replication_slots WHERE slot_name = {}",
                       literal(cut.lsn), literal(cut.slot));
}

} // namespace

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
    const auto slot = connection_.query("SELECT coalesce(database = current_database(), false)"
                                        " FROM pg_replication_slots WHERE slot_name = $1",
                                        {wanted.slot}, soon());
    if (slot.empty() || !slot.boolean(0, 0)) {
        throw Error(Action::stop, fmt::format("there is no logical replication slot {} of this database: "
                                              "slot.name of the connector says its name",
                                              wanted.slot));
    }
}

bool Handover::is_ours(const std::string& table) {
    return !connection_
                .query("SELECT FROM outbox_pauses WHERE scope = 'all' AND why = $1", {why(table)}, soon())
                .empty();
}

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

void Handover::finish(const std::string& table, const Cut& cut) {
    const Deadline limit = Deadline::in(patience_.slot);
    while (true) {
        const auto slot = connection_.query(
            "SELECT s.confirmed_flush_lsn >= $2::pg_lsn, s.active, coalesce(r.sent_lsn >= $2::pg_lsn, false)"
            " FROM pg_replication_slots AS s LEFT JOIN pg_stat_replication AS r ON r.pid = s.active_pid"
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
