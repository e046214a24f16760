// adopt: the database is told that it belongs to another cluster or another name from now on. It gets a
// new outbox id, so that what the former owner wrote can never be taken for this one's. Relays must be
// stopped, and what may have been sent without being marked is refused unless the operator insists.
#include "audit.hpp"
#include "exclusive.hpp"

#include <outbox/store/sql/adopt.hpp>

#include <fmt/format.h>

namespace outbox::verbs {
namespace {

namespace sql = store::sql;
using postgres::Connection;
using postgres::Transaction;

/// Why the name cannot be had; nullopt when it is free, or already this outbox's own.
std::optional<std::string> taken(Cluster& cluster, const std::string& name, const Belonging& now) {
    const auto holder = cluster.holder();
    if (!holder || (!now.name && holder->outbox_id == now.outbox_id)) {
        return std::nullopt;
    }
    constexpr std::size_t few_digits = 8;
    return fmt::format(
        "the name '{0}' is taken on this Kafka: outbox.{0}.control holds manifests of {1}: choose another"
        " OUTBOX_NAME, such as {0}-{2}, or delete the topic when nothing uses it any more",
        name, holder->told, now.outbox_id.to_string().substr(0, few_digits));
}

/// Why the former cluster may have events of which this database knows nothing; nullopt when it has
/// none.
std::optional<std::string> unsettled(Connection& connection) {
    const auto found = connection.run(sql::find_unsettled, {}, Deadline::in(milliseconds(600'000)));
    const bool nothing_sent = found.boolean(0, 0);
    if (found.integer(0, 1) == 0 && (nothing_sent || found.is_null(0, 2))) {
        return std::nullopt;
    }
    return fmt::format(
        "{} events are PROCESSING and shards [{}] are not settled, so the former cluster may have events"
        " that this database does not know to be sent: start and stop a relay with the former settings, or,"
        " where its shards stop, type outbox-relay reconcile --apply with those; or, with --force, let them "
        "be sent again",
        found.integer(0, 1), found.maybe_text(0, 2).value_or(""));
}

} // namespace

Outcome adopt(Connection& connection, Cluster& cluster, const std::string& name, const Motive& motive) {
    const auto cluster_id = cluster.id();
    const auto now = belonging(connection);
    // Nobody has started here: there is nothing to give up, and the first relay will take the name.
    if (!now.name || !now.cluster) {
        if (auto refused = taken(cluster, name, now)) {
            return {{}, std::move(refused)};
        }
        return {fmt::format(
                    "no relay has started on this database yet: the first one adopts it, under the name {}",
                    name),
                {}};
    }
    const auto selection = fmt::format("{} of cluster {}", name, cluster_id);
    const bool same = *now.name == name && *now.cluster == cluster_id;
    if (!same) {
        // From here on no relay can start: the locks of all shards are this session's.
        if (auto refused = lock_out_relays(connection)) {
            return {{}, std::move(refused)};
        }
        if (auto refused = taken(cluster, name, now)) {
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
    // Rows, shards, markers and identity change in one transaction: half of it would be another
    // outbox.
    const auto again = transaction.run(sql::unsend, {}).affected();
    transaction.run(sql::begin_again, {});
    transaction.run(sql::forget_markers, {});
    const auto outbox = transaction.run(sql::new_identity, {name, cluster_id}).text(0, 0);
    entry.add(transaction, again);
    transaction.commit();
    return {fmt::format("this database belongs to {} from now on, as outbox {}; before: {} of cluster {}",
                        selection, outbox, *now.name, *now.cluster),
            {}};
}

} // namespace outbox::verbs
