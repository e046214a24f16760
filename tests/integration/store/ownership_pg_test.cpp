// Who may write about a shard.
#include "fixture.hpp"

#include <outbox/store/sql/shard.hpp>

#include <future>

namespace outbox::store {
namespace {

class OwnershipTest : public StoreTest {
protected:
    /// @return whether the owner that it was may still claim
    bool claims(ShardStore& store) {
        try {
            Turn turn(store, {ownership_});
            turn.claim({.track_processing = false}, {}, {});
            turn.commit();
            return true;
        } catch (const NotOwner&) {
            return false;
        }
    }
};

TEST_F(OwnershipTest, IsReadAsItIsBehindTheLockWhateverTheDatabasesIsolation) {
    database_.query("ALTER DATABASE " + database_.name() +
                    " SET default_transaction_isolation = 'repeatable read'");
    auto session = database_.connect();
    ShardStore store(session, {1, patience});
    store.serve({0});
    ASSERT_TRUE(claims(store));
    auto successor = database_.connect();
    script(successor, "BEGIN; " + filled(sql::lock_shard_alone, {{"shard", "0"}}) +
                          "; UPDATE outbox_shards SET owner = gen_random_uuid(), epoch = epoch + 1");
    auto claimed = std::async(std::launch::async, [&] { return claims(store); });
    EXPECT_TRUE(support::wait_until([&] {
        return database_.number(
                   "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                   " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())") == 1;
    }));
    script(successor, "COMMIT");
    EXPECT_FALSE(claimed.get());
}

TEST_F(OwnershipTest, IsNotKeptByAHeartbeatFromBeforeTheServersClockWasSetBack) {
    auto owner_session = database_.connect();
    Relays(owner_session, identity_, patience).join(relay_, "owner", 10min);
    ASSERT_FALSE(store_.acquire(0, Uuid::random(), identity_)) << "it is alive";
    database_.query("UPDATE outbox_relays SET heartbeat_at = clock_timestamp() + interval '1 hour'");
    EXPECT_TRUE(store_.acquire(0, Uuid::random(), identity_));
}

} // namespace
} // namespace outbox::store
