// outbox_health, as a monitoring role sees it.

#include <outbox/support/database.hpp>
#include <outbox/support/role.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox::store {
namespace {

using support::Rows;
using testing::ElementsAre;

class HealthView : public testing::Test {
protected:
    HealthView() {
        database.query("INSERT INTO outbox_shards (shard) SELECT generate_series(0, 3)");
        database.query("UPDATE outbox_meta SET shard_count = 4");
    }
    void insert(int number, const std::string& status, const std::string& age) {
        for (int i = 0; i < number; ++i) {
            database.query(
                "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic, "
                "status, created_at) VALUES (gen_random_uuid(), 'user', 'one', 'user.created', '{}', 't', "
                "$1, "
                "clock_timestamp() - $2::interval)",
                {status, age});
        }
    }
    /// Of the shard of all events, in this order: unsent, oldest at least, FAILED, blocked keys.
    Rows counts(const std::string& oldest) {
        return database.query(
            "SELECT waiting_events, oldest_event_age_seconds >= $1::integer, failed_events, blocked_keys "
            "FROM outbox_health WHERE shard = (SELECT bucket % 4 FROM outbox_events LIMIT 1)",
            {oldest});
    }

    support::Role monitor; // outlives the database
    support::TestDatabase database;
};

TEST_F(HealthView, HasARowForEachShardWithWhatIsLeftToDo) {
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_health"), 4);
    EXPECT_EQ(database.number("SELECT sum(waiting_events) FROM outbox_health"), 0);
    insert(3, "NEW", "90 seconds");
    insert(2, "FAILED", "1 hour");
    insert(4, "SENT", "1 hour");
    database.query("INSERT INTO outbox_blocked_keys (bucket, key) SELECT bucket, aggregate_id FROM "
                   "outbox_events LIMIT 1");
    EXPECT_THAT(counts("90"), ElementsAre(ElementsAre("3", "t", "2", "1")));
    EXPECT_THAT(counts("3000"), ElementsAre(ElementsAre("3", "f", "2", "1")));
    EXPECT_EQ(database.number("SELECT sum(waiting_events) FROM outbox_health"), 3);
}

TEST_F(HealthView, TellsOwnersPausesAndWhatStandsStill) {
    database.query("INSERT INTO outbox_relays (relay, name, lease, heartbeat_at, made_for) VALUES "
                   "('11111111-1111-1111-1111-111111111111', 'here:1', '10 seconds', clock_timestamp(), 33),"
                   "('22222222-2222-2222-2222-222222222222', 'gone:2', '10 seconds', clock_timestamp() - "
                   "interval '1 minute', 33)");
    database.query(
        "UPDATE outbox_shards SET owner = '11111111-1111-1111-1111-111111111111', epoch = 7 WHERE shard = 0");
    database.query("UPDATE outbox_shards SET owner = '22222222-2222-2222-2222-222222222222' WHERE shard = 1");
    database.query("UPDATE outbox_shards SET stopped = 'records are missing' WHERE shard = 2");
    database.query("INSERT INTO outbox_pauses (scope, name, who) VALUES ('shard', '3', 'ada')");
    EXPECT_THAT(
        database.query("SELECT owner, owner_alive, epoch, stopped, paused, relays_alive FROM outbox_health"),
        ElementsAre(ElementsAre("here:1", "t", "7", "NULL", "f", "1"),
                    ElementsAre("gone:2", "f", "0", "NULL", "f", "1"),
                    ElementsAre("NULL", "f", "0", "records are missing", "f", "1"),
                    ElementsAre("NULL", "f", "0", "NULL", "t", "1")));
}

TEST_F(HealthView, IsReadByARoleThatMayReadNothingElse) {

    auto options = database.options();
    options.user = monitor.name();
    options.password = monitor.password();
    auto session = postgres::Connection::open(options, Deadline::in(std::chrono::seconds(30)));
    const auto count = [&session](const std::string& from) {
        return session.query("SELECT count(*) FROM " + from, {}, Deadline::in(std::chrono::seconds(30)))
            .integer(0, 0);
    };
    EXPECT_THROW(count("outbox_health"), postgres::DatabaseError) << "nobody may who was not told";
    database.query("GRANT SELECT ON outbox_health TO " + monitor.name());
    database.query("GRANT EXECUTE ON FUNCTION outbox_shard_health() TO " + monitor.name());
    EXPECT_EQ(count("outbox_health"), 4);
    EXPECT_THROW(count("outbox_events"), postgres::DatabaseError);
    EXPECT_THROW(count("outbox_read_health('outbox_events')"), postgres::DatabaseError);
    EXPECT_THROW(count("outbox_shards"), postgres::DatabaseError);
}

TEST_F(HealthView, KeepsNobodyFromChangingTheTablesColumns) {
    database.query("ALTER TABLE outbox_events ALTER COLUMN next_attempt_at TYPE timestamptz(3)");
    database.query(
        "ALTER TABLE outbox_events ADD COLUMN own integer, ALTER COLUMN created_at SET DEFAULT now()");
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_health"), 4);
}

TEST_F(HealthView, GoesWithItsSchemaUnderAnotherName) {
    database.query("CREATE SCHEMA other");
    database.query("ALTER SCHEMA public RENAME TO moved");
    EXPECT_EQ(database.number("SELECT count(*) FROM moved.outbox_health"), 4);
    database.query("ALTER SCHEMA moved RENAME TO public");
}

} // namespace
} // namespace outbox::store
