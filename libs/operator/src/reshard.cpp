// reshard: the buckets move to another number of shards while relays and writers run. A move with
// unmarked batches would lose them: the new shard's control partition does not name what the old one
// had sent. So claims are held by a note with a time limit, which a killed reshard leaves to expire,
// and the move waits until every shard is marked; then one transaction behind all shards' locks raises
// every epoch.
#include "audit.hpp"

#include <outbox/core/error.hpp>
#include <outbox/faults/faults.hpp>
#include <outbox/store/sql/pauses.hpp>
#include <outbox/store/sql/reshard.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <thread>

namespace outbox::verbs {
namespace {

namespace sql = store::sql;
using postgres::Connection;
using postgres::Result;
using postgres::Transaction;

constexpr milliseconds short_answer{10'000};
constexpr milliseconds look_again{50};

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

/// Lets relays claim again at once; without it the hold expires by itself.
void end_hold(Connection& connection) {
    Transaction transaction(connection, Deadline::in(short_answer));
    transaction.run(sql::let_claim, {});
    transaction.run(sql::tell_relays, {});
    transaction.commit();
}

/// The move itself: one transaction, behind the locks of all shards. @return false when one is not settled
bool move(Connection& connection, int shards, const Motive& motive, const PassedPoint& passed) {
    Transaction transaction(connection, Deadline::in(short_answer),
                            "BEGIN; SET LOCAL synchronous_commit = on");
    const auto before = static_cast<int>(transaction.run(sql::lock_meta, {}).integer(0, 0));
    // All shards at once, also those that are to come: no relay marks, claims or takes one until
    // the COMMIT.
    transaction.run(sql::lock_shards, {std::max(before, shards)});
    // Looked at again under the locks: between the look and the locks a relay may have sent another
    // batch.
    if (!transaction.run(sql::find_busy, {}).empty() && faults::cure("reshard-waits")) {
        return false;
    }
    transaction.run(sql::add_shards, {shards});
    // Every shard becomes free under a raised epoch, so owners find out before they write the next
    // time.
    const auto moved = transaction.run(sql::free_shards, {}).affected();
    transaction.run(sql::set_shard_count, {shards});
    AuditEntry(transaction, "reshard", fmt::format("{} to {}", before, shards), motive)
        .add(transaction, moved);
    transaction.run(sql::tell_relays, {});
    passed("reshard-before-commit");
    transaction.commit();
    return true;
}

/// Waits until nothing is in flight, then moves. @return why it was not done
std::optional<std::string> hold_and_move(Connection& connection, int shards, const Motive& motive,
                                         Deadline deadline, const PassedPoint& passed) {
    for (bool first = true;; first = false) {
        // The hold is renewed in each round, and runs out three seconds after the last one.
        connection.run(sql::hold_claims, {}, Deadline::in(short_answer));
        if (first) {
            connection.run(sql::tell_relays, {}, Deadline::in(short_answer));
            passed("reshard-held");
        }
        const Result busy = connection.run(sql::find_busy, {}, Deadline::in(short_answer));
        if (auto stopped = stopped_shard(busy)) {
            return stopped;
        }
        if (busy.empty() || !faults::cure("reshard-waits")) {
            // Nothing is unmarked at this moment; whether that is so under the locks too,
            // move() asks.
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
    // Its own transaction: the row is locked, so that of two reshards the second sees what the
    // first did.
    {
        Transaction transaction(connection, Deadline::in(short_answer));
        const auto before = transaction.run(sql::lock_meta, {}).integer(0, 0);
        if (before == shards) {
            AuditEntry(transaction, "reshard", fmt::format("{0} to {0}", shards), motive);
            transaction.commit();
            return {fmt::format("there are {} shards already: nothing to do", shards), {}};
        }
        const auto paused = transaction.run(sql::paused_shards, {}).maybe_text(0, 0);
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
