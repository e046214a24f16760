// Updates of events that the database refuses: some events' for good, all of them for a while.
#include "fixture.hpp"

#include <fmt/format.h>

#include <functional>

namespace outbox::relays {
namespace {

class Refused : public Operator {
protected:
    const Variables one_shard{{"RELAY_SHARDS", "1"}};

    void insert_some() {
        for (int i = 0; i < 60; ++i) {
            insert({.key = i % 20 == 7 ? "bad" : fmt::format("k{}", i)});
        }
    }
    /// All go on but those of the bad key's bucket, `status` says why, and once it is mended they follow in
    /// order.
    void expect_that_one_bucket_waits(const std::string& why, const std::string& mend) {
        insert_some();
        expect_that_one_bucket_waits(why, [&] { database.query(mend); });
    }
    void expect_that_one_bucket_waits(const std::string& why, const std::function<void()>& mend) {
        Process relay = ready_relay(one_shard);
        const std::string others = "bucket <> outbox_bucket('bad')";
        ASSERT_TRUE(wait_until([&] { return count(others + " AND status <> 'SENT'") == 0; }, 30s))
            << relay.errors();
        EXPECT_EQ(count("aggregate_id = 'bad' AND status = 'NEW'"), 3);
        ASSERT_TRUE(wait_until([&] { return verb({"status"}).exit_code == 1; }, 15s));
        EXPECT_THAT(verb({"status"}).output, testing::AllOf(HasSubstr("cannot be changed"), HasSubstr(why)));
        EXPECT_TRUE(wait_sent(insert({.key = "later"}))) << relay.errors();
        EXPECT_EQ(relay.count(Signal("recovers")), 0) << relay.errors();

        mend();
        EXPECT_TRUE(wait_until([&] { return count("status <> 'SENT'") == 0; }, 30s)) << relay.errors();
        EXPECT_TRUE(wait_until([&] { return verb({"status"}).exit_code == 0; }, 15s))
            << verb({"status"}).output;
        expect_exactly_once();
    }
    void refuse_by_trigger(const std::string& what) {
        database.query("CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.aggregate_id "
                       "= ''bad'' THEN "
                       "RAISE EXCEPTION " +
                       what + "; END IF; RETURN NEW; END'");
        database.query(
            "CREATE TRIGGER mine BEFORE UPDATE ON outbox_events FOR EACH ROW EXECUTE FUNCTION no()");
    }
};

TEST_F(Refused, AnEventThatATriggerOfTheUsersDoesNotLetChangeWaitsWithItsBucketAlone) {
    refuse_by_trigger("''not this one''");
    expect_that_one_bucket_waits("not this one", "DROP TRIGGER mine ON outbox_events");
}

TEST_F(Refused, AnEventThatAConstraintOfTheUsersDoesNotLetChangeWaitsWithItsBucketAlone) {
    database.query(
        "ALTER TABLE outbox_events ADD CONSTRAINT mine CHECK (aggregate_id <> 'bad' OR status = 'NEW')");
    expect_that_one_bucket_waits("mine", "ALTER TABLE outbox_events DROP CONSTRAINT mine");
}

TEST_F(Refused, AnEventThatSomebodyHasLockedWaitsWithItsBucketAlone) {
    insert_some();
    auto session = postgres::Connection::open(database.options(), Deadline::in(10s));
    script(session, "SET application_name = 'forgetful'; BEGIN;"
                    " SELECT FROM outbox_events WHERE aggregate_id = 'bad' ORDER BY seq LIMIT 1 FOR UPDATE");
    const auto pid = session.query("SELECT pg_backend_pid()", {}, Deadline::in(10s)).text(0, 0);
    expect_that_one_bucket_waits(
        fmt::format("session {0} (postgres, forgetful) has locked it; end its transaction, or type: SELECT"
                    " pg_terminate_backend({0})",
                    pid),
        [&] { script(session, "ROLLBACK"); });
}

TEST_F(Refused, AFullDiskIsWaitedForWithItsReasonAndNoEventIsBlamed) {
    refuse_by_trigger("''could not extend file'' USING ERRCODE = ''disk_full''");
    insert_some();
    Process relay = ready_relay(one_shard);
    ASSERT_TRUE(wait_until([&] { return verb({"status"}).exit_code == 1; }, 30s)) << relay.errors();
    EXPECT_THAT(verb({"status"}).output, HasSubstr("could not extend file"));
    database.query("DROP TRIGGER mine ON outbox_events");
    EXPECT_TRUE(wait_until([&] { return count("status <> 'SENT'") == 0; }, 30s)) << relay.errors();
    EXPECT_EQ(count("retry_count > 0"), 0);
    expect_exactly_once();
}

} // namespace
} // namespace outbox::relays
