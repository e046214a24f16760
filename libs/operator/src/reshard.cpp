// reshard: the buckets move to another number of shards while relays and writers run.
#include "audit.hpp"

#include <outbox/core/error.hpp>
#include <outbox/faults/faults.hpp>
#include <outbox/store/sql.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace outbox::verbs {
namespace {

using postgres::Connection;
using postgres::Result;
using postgres::Statement;
using postgres::Transaction;

constexpr milliseconds short_answer{10'000};
constexpr milliseconds look_again{50};

/// Relays claim nothing for this long, unless it is renewed: a killed command holds nothing up for longer.
constexpr Statement hold_claims{
    "outbox_hold_claims", "UPDATE outbox_meta SET reshard_until = clock_timestamp() + interval '3 seconds'"};

constexpr Statement let_claim{"outbox_let_claim", "UPDATE outbox_meta SET reshard_until = NULL"};

constexpr Statement tell_relays{"outbox_tell_relays", OUTBOX_RING("'members'")};

/// Shards of which something may be in flight, that are stopped, or whose transactions a broker has not ended
/// everywhere. A shard was given back, or paused, only when all is marked.
constexpr Statement find_busy{
    "outbox_find_busy",
    "SELECT s.shard, coalesce(r.name, s.owner::text, 'none'), coalesce(" OUTBOX_RELAY_ALIVE
    ", false), s.stopped FROM outbox_meta AS m JOIN outbox_shards AS s ON s.shard < m.shard_count"
    " LEFT JOIN outbox_relays AS r ON r.relay = s.owner"
    " WHERE s.owner IS NOT NULL AND s.quiet_epoch IS DISTINCT FROM s.epoch"
    " OR s.stopped IS NOT NULL"
    " OR EXISTS (SELECT 1 FROM outbox_lost_markers AS l WHERE l.shard = s.shard) ORDER BY s.shard"};

constexpr Statement find_paused{
    "outbox_paused_shards",
    "SELECT string_agg(name, ', ' ORDER BY name::integer) FROM outbox_pauses WHERE scope = 'shard'"};

constexpr Statement lock_meta{"outbox_lock_meta",
                              "SELECT coalesce(shard_count, 0) FROM outbox_meta FOR UPDATE"};

/// Every shard that had buckets or will have: nobody takes one, marks or claims until the move is committed.
constexpr Statement lock_shards{"outbox_lock_shards",
                                "SELECT pg_advisory_xact_lock(" OUTBOX_SHARD_LOCK(
                                    "s.shard") ")"
                                               " FROM generate_series(0, $1::integer - 1) AS s(shard)"};

constexpr Statement add_shards{"outbox_add_shards",
                               "INSERT INTO outbox_shards (shard) SELECT generate_series(0, $1::integer - 1)"
                               " ON CONFLICT DO NOTHING"};

/// marked_batch and marked_offset stay: they go with the shard's control partition, not with its buckets.
constexpr Statement free_shards{
    "outbox_free_shards",
    "UPDATE outbox_shards SET owner = NULL, owned_since = NULL, quiet_epoch = NULL, epoch = epoch + 1,"
    " claimed_seq = (SELECT max(claimed_seq) FROM outbox_shards)"};

constexpr Statement set_count{"outbox_set_shard_count",
                              "UPDATE outbox_meta SET shard_count = $1, reshard_until = NULL"};

/// Why the shards cannot be moved now; empty when they can.
std::string busy_shards(const Result& busy) {
    std::string text;
    for (int i = 0; i < busy.rows(); ++i) {
        text += fmt::format("{}shard {} (owner {}, {})", i == 0 ? "" : ", ", busy.integer(i, 0),
                            busy.text(i, 1), busy.boolean(i, 2) ? "alive" : "not alive");
    }
    return text;
}

std::optional<std::string> stopped_shard(const Result& busy) {
    for (int i = 0; i < busy.rows(); ++i) {
        if (const auto why = busy.maybe_text(i, 3)) {
            return fmt::format("shard {} is stopped: {}", busy.integer(i, 0), *why);
        }
    }
    return std::nullopt;
}

void end_hold(Connection& connection) {
    Transaction transaction(connection, Deadline::in(short_answer));
    transaction.run(let_claim, {});
    transaction.run(tell_relays, {});
    transaction.commit();
}

/// The move itself: one transaction, behind the locks of all shards. @return false when one is not settled
bool move(Connection& connection, int shards, const Motive& motive, const PassedPoint& passed) {
    Transaction transaction(connection, Deadline::in(short_answer),
                            "BEGIN; SET LOCAL synchronous_commit = on");
    const auto before = static_cast<int>(transaction.run(lock_meta, {}).integer(0, 0));
    transaction.run(lock_shards, {std::max(before, shards)});
    if (!transaction.run(find_busy, {}).empty() && faults::cure("reshard-waits")) {
        return false;
    }
    transaction.run(add_shards, {shards});
    const auto moved = transaction.run(free_shards, {}).affected();
    transaction.run(set_count, {shards});
    AuditEntry(transaction, "reshard", fmt::format("{} to {}", before, shards), motive)
        .add(transaction, moved);
    transaction.run(tell_relays, {});
    passed("reshard-before-commit");
    transaction.commit();
    return true;
}

/// Waits until nothing is in flight, then moves. @return why it was not done
std::optional<std::string> hold_and_move(Connection& connection, int shards, const Motive& motive,
                                         Deadline deadline, const PassedPoint& passed) {
    for (bool first = true;; first = false) {
        connection.run(hold_claims, {}, Deadline::in(short_answer));
        if (first) {
            connection.run(tell_relays, {}, Deadline::in(short_answer));
            passed("reshard-held");
        }
        const Result busy = connection.run(find_busy, {}, Deadline::in(short_answer));
        if (auto stopped = stopped_shard(busy)) {
            return stopped;
        }
        if (busy.empty() || !faults::cure("reshard-waits")) {
            passed("reshard-quiet");
            if (move(connection, shards, motive, passed)) {
                return std::nullopt;
            }
        }
        if (deadline.passed()) {
            return fmt::format(
                "something may still be in flight: {}; a running relay settles it, then reshard"
                " again",
                busy_shards(busy));
        }
        std::this_thread::sleep_for(look_again);
    }
}

} // namespace

Outcome reshard(Connection& connection, int shards, const Motive& motive, milliseconds patience,
                const PassedPoint& passed) {
    {
        Transaction transaction(connection, Deadline::in(short_answer));
        const auto before = transaction.run(lock_meta, {}).integer(0, 0);
        if (before == shards) {
            AuditEntry(transaction, "reshard", fmt::format("{0} to {0}", shards), motive);
            transaction.commit();
            return {fmt::format("there are {} shards already: nothing to do", shards), {}};
        }
        const auto paused = transaction.run(find_paused, {}).maybe_text(0, 0);
        if (paused && !motive.force) {
            return {{},
                    fmt::format("shard {} is paused, and its number will stand for other keys: resume it "
                                "first, or use --force",
                                *paused)};
        }
    }
    auto refused = hold_and_move(connection, shards, motive, Deadline::in(patience), passed);
    passed("reshard-after-commit");
    if (refused) {
        end_hold(connection);
        return {{}, std::move(refused)};
    }
    return {fmt::format("there are {} shards now", shards), {}};
}

} // namespace outbox::verbs
