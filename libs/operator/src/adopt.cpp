// adopt: the database is told that it belongs to another cluster or another name from now on.
#include "audit.hpp"
#include "exclusive.hpp"

#include <outbox/store/sql.hpp>

#include <fmt/format.h>

namespace outbox::verbs {
namespace {

using postgres::Connection;
using postgres::Statement;
using postgres::Transaction;

/// Events that the former cluster may have although the database does not say so.
constexpr Statement find_unsettled{
    "outbox_find_unsettled",
    "SELECT (SELECT count(*) FROM outbox_events AS o WHERE o.unsent AND o.status = 'PROCESSING'),"
    " (SELECT string_agg(s.shard::text, ', ' ORDER BY s.shard) FROM outbox_shards AS s WHERE s.owner IS NOT "
    "NULL"
    " AND s.quiet_epoch IS DISTINCT FROM s.epoch"
    " OR EXISTS (SELECT 1 FROM outbox_lost_markers AS l WHERE l.shard = s.shard))"};

constexpr Statement new_identity{
    "outbox_new_identity", "UPDATE outbox_meta SET outbox_id = gen_random_uuid(), name = $1, cluster_id = $2,"
                           " reshard_until = NULL RETURNING outbox_id"};

/// Batches count from 1 again: the new control topic holds none.
constexpr Statement begin_again{
    "outbox_begin_again",
    "UPDATE outbox_shards SET owner = NULL, owned_since = NULL, quiet_epoch = NULL, stopped = "
    "NULL, epoch = epoch + 1, marked_batch = 0, marked_offset = -1, marked_at = NULL"};

/// They are the former outbox's; nothing initialises its producers any more.
constexpr Statement forget_markers{"outbox_forget_markers", "DELETE FROM outbox_lost_markers"};

constexpr Statement unsend{"outbox_unsend", "UPDATE outbox_events AS o SET " OUTBOX_BACK
                                            " WHERE o.unsent AND o.status = 'PROCESSING'"};

std::optional<std::string> foreign_manifests(const std::vector<ControlEnd>& ends, const std::string& name) {
    if (ends.empty()) {
        return std::nullopt;
    }
    return fmt::format(
        "control topic outbox.{}.control of this cluster holds manifests of outbox {}: choose another"
        " OUTBOX_NAME, or delete the topic when nothing uses it any more",
        name, ends.front().outbox_id.to_string());
}

std::optional<std::string> unsettled(Connection& connection) {
    const auto found = connection.run(find_unsettled, {}, Deadline::in(milliseconds(600'000)));
    if (found.integer(0, 0) == 0 && found.is_null(0, 1)) {
        return std::nullopt;
    }
    return fmt::format(
        "{} events are PROCESSING and shards [{}] are not settled, so the former cluster may have events"
        " that this database does not know to be sent: start and stop a relay with the former settings,"
        " or, with --force, let them be sent again",
        found.integer(0, 0), found.maybe_text(0, 1).value_or(""));
}

} // namespace

Outcome adopt(Connection& connection, Cluster& cluster, const std::string& name, const Motive& motive) {
    const auto cluster_id = cluster.id();
    const auto now = belonging(connection);
    if (!now.name || !now.cluster) {
        return {"no relay has started on this database yet: the first one adopts it", {}};
    }
    const auto selection = fmt::format("{} of cluster {}", name, cluster_id);
    const bool same = *now.name == name && *now.cluster == cluster_id;
    if (!same) {
        if (auto refused = lock_out_relays(connection)) {
            return {{}, std::move(refused)};
        }
        if (auto refused = foreign_manifests(cluster.control_ends(), name)) {
            return {{}, std::move(refused)};
        }
        if (auto refused = unsettled(connection); refused && !motive.force) {
            return {{}, std::move(refused)};
        }
    }
    Transaction transaction(connection, Deadline::in(milliseconds(600'000)),
                            "BEGIN; SET LOCAL synchronous_commit = on");
    const AuditEntry entry(transaction, "adopt", selection, motive);
    if (same) {
        transaction.commit();
        return {fmt::format(
                    "this database belongs to {} already: nothing to do; a copy of it needs an OUTBOX_NAME of"
                    " its own",
                    selection),
                {}};
    }
    const auto again = transaction.run(unsend, {}).affected();
    transaction.run(begin_again, {});
    transaction.run(forget_markers, {});
    const auto outbox = transaction.run(new_identity, {name, cluster_id}).text(0, 0);
    entry.add(transaction, again);
    transaction.commit();
    return {fmt::format("this database belongs to {} from now on, as outbox {}; before: {} of cluster {}",
                        selection, outbox, *now.name, *now.cluster),
            {}};
}

} // namespace outbox::verbs
