// Programs and a database of other versions.

#include <outbox/support/relays.hpp>

#include <gmock/gmock.h>

namespace outbox::relays {
namespace {

using testing::HasSubstr;

class Versions : public Relays {
protected:
    /// Of a database that has no outbox yet.
    [[nodiscard]] Variables in(const support::TestDatabase& other) const {
        return environment({{"DB_NAME", other.name()}, {"OUTBOX_NAME", other.name()}});
    }

    /// A relay waits, says what to type, and sends once that was typed.
    void expect_waits_for_up(support::TestDatabase& other, const std::string& says) {
        Process relay = start_relay(in(other));
        ASSERT_TRUE(relay.wait_for(Signal("waits").saying(says), Deadline::in(60s))) << relay.errors();
        EXPECT_THAT(relay.errors(), HasSubstr("outbox-migrate up"));
        other.migrate({"up"});
        const auto id = other.value(insert_sql({.key = "a"}) + " RETURNING id");
        EXPECT_TRUE(wait_until(
            [&] { return other.value("SELECT status FROM outbox_events WHERE id = $1", {id}) == "SENT"; },
            60s))
            << relay.errors();
        EXPECT_EQ(stop(relay).exit_code, 0);
    }
};

TEST_F(Versions, ARelayThatIsStartedBeforeUpWaitsAndGoesOnOnceUpRan) {
    support::TestDatabase absent(support::TestDatabase::Start::absent);
    expect_waits_for_up(absent, "does not exist");
    support::TestDatabase empty(support::TestDatabase::Start::empty);
    expect_waits_for_up(empty, "there is no outbox in schema public");
    support::TestDatabase older;
    older.migrate({"down", "2"});
    expect_waits_for_up(older, "and this program needs");
}

TEST_F(Versions, ARelayThatIsOlderThanTheDatabaseEndsAndSaysSo) {
    database.query(
        "INSERT INTO outbox_migrations (version, name, checksum, duration_ms) VALUES (9000, 'x', '', 1)");
    const auto outcome = start_relay().wait(Deadline::in(60s));
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors, HasSubstr("is at version 9000, and this program knows"));
    EXPECT_THAT(outcome.errors, HasSubstr("upgrade the program"));
}

TEST_F(Versions, ARelayThatKnowsNothingOfVersionsCannotBegin) {
    try { // as 0.1 does
        database.query(
            "INSERT INTO outbox_relays (relay, name, lease) VALUES (gen_random_uuid(), 'host:7', '10 s')"
            " ON CONFLICT (relay) DO UPDATE SET heartbeat_at = clock_timestamp() RETURNING lock_key");
        FAIL() << "it was let in";
    } catch (const postgres::DatabaseError& error) {
        EXPECT_THAT(error.what(),
                    HasSubstr("relay host:7 was built for an older version of this outbox: upgrade"));
    }
    const auto id = insert({.key = "a"});
    const Process relay = ready_relay();
    EXPECT_TRUE(wait_sent(id)) << relay.errors();
}

} // namespace
} // namespace outbox::relays
