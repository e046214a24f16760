#include "fixture.hpp"

#include <outbox/core/wakeup.hpp>

#include <gmock/gmock.h>

namespace outbox::migrations {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

std::string insert_sql(const std::string& keys) {
    return "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic) "
           "SELECT gen_random_uuid(), 'user', k, 'user.created', '{}', 'user-events' FROM unnest(ARRAY[" +
           keys + "]) AS k";
}

/// `sleeper_` plays the relay: it holds a bucket's lock exclusively while it sleeps.
class Doorbell : public testing::Test {
protected:
    Doorbell() {
        script(listener_, "LISTEN " + doorbell_channel(database_));
        bucket_a_ = bucket("a");
        bucket_b_ = bucket("b");
    }

    static std::vector<postgres::Result> script(postgres::Connection& connection, const std::string& sql) {
        return connection.script(sql, Deadline::in(30s));
    }
    std::string bucket(const std::string& key) {
        return database_.value("SELECT outbox_bucket('" + key + "')");
    }
    /// Falls asleep. @return whether the lock could be had.
    bool sleep_on(const std::string& bucket) {
        return script(sleeper_,
                      "SELECT pg_try_advisory_lock('public'::regnamespace::oid::integer, (1 << 28) + " +
                          bucket + ")")
            .back()
            .boolean(0, 0);
    }
    /// What was rung until now: a ring of the test's own marks the end.
    std::vector<std::string> rings() {
        script(writer_, "SELECT pg_notify('" + doorbell_channel(database_) + "', 'end')");
        std::vector<std::string> heard;
        while (heard.empty() || heard.back() != "end") {
            const Deadline deadline = Deadline::in(10s);
            for (auto& payload : listener_.wait_notifications(wakeup_.fd(), deadline)) {
                heard.push_back(std::move(payload));
            }
            if (deadline.passed()) {
                ADD_FAILURE() << "the doorbell itself is broken";
                return heard;
            }
        }
        heard.pop_back();
        return heard;
    }

    /// What `up` says of the database, which is at its newest version.
    std::string up() {
        const Outcome outcome = migrate(database_, {"up"});
        EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
        return outcome.errors;
    }

    Role owner_; ///< of the function, in some tests; outlives the database
    TestDatabase database_;
    postgres::Connection sleeper_ = database_.connect();
    postgres::Connection listener_ = database_.connect();
    postgres::Connection writer_ = database_.connect();
    Wakeup wakeup_;
    std::string bucket_a_;
    std::string bucket_b_;
};

TEST_F(Doorbell, IsSilentWhileNobodySleeps) {
    script(writer_, insert_sql("'a'"));
    EXPECT_THAT(rings(), IsEmpty());
}

TEST_F(Doorbell, ThatIsSwitchedOffStaysSoWhenAllTriggersAreEnabled) {
    database_.query("UPDATE outbox_meta SET doorbell = false");
    database_.query("ALTER TABLE outbox_events DISABLE TRIGGER ALL");
    database_.query("ALTER TABLE outbox_events ENABLE TRIGGER ALL");
    ASSERT_TRUE(sleep_on(bucket_a_));
    script(writer_, insert_sql("'a'"));
    EXPECT_THAT(rings(), IsEmpty());
    database_.query("UPDATE outbox_meta SET doorbell = true");
    script(writer_, insert_sql("'a'"));
    EXPECT_THAT(rings(), ElementsAre(bucket_a_));
}

TEST_F(Doorbell, RingsForABucketThatSleepsAndForNoOther) {
    ASSERT_NE(bucket_a_, bucket_b_);
    ASSERT_TRUE(sleep_on(bucket_a_));
    script(writer_, insert_sql("'b'"));
    EXPECT_THAT(rings(), IsEmpty());
    script(writer_, insert_sql("'a'"));
    EXPECT_THAT(rings(), ElementsAre(bucket_a_));
}

TEST_F(Doorbell, RingsOnceABucketAndStatement) {
    ASSERT_TRUE(sleep_on(bucket_a_));
    ASSERT_TRUE(sleep_on(bucket_b_));
    script(writer_, insert_sql("'a', 'b', 'a', 'b', 'a'"));
    EXPECT_THAT(rings(), UnorderedElementsAre(bucket_a_, bucket_b_));
}

TEST_F(Doorbell, IsSilentAgainAfterTheSleeperWoke) {
    ASSERT_TRUE(sleep_on(bucket_a_));
    script(sleeper_, "SELECT pg_advisory_unlock_all()");
    script(writer_, insert_sql("'a'"));
    EXPECT_THAT(rings(), IsEmpty());
}

TEST_F(Doorbell, RingsForARepeatableReadWriterWithAnOlderSnapshot) {
    script(writer_, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM outbox_events");
    ASSERT_TRUE(sleep_on(bucket_a_));
    script(writer_, insert_sql("'a'"));
    script(writer_, "COMMIT");
    EXPECT_THAT(rings(), ElementsAre(bucket_a_));
}

TEST_F(Doorbell, NobodyFallsAsleepBeforeAWriterThatDidNotRingHasEnded) {
    script(writer_, "BEGIN; " + insert_sql("'a'"));
    EXPECT_FALSE(sleep_on(bucket_a_));
    script(writer_, "COMMIT");
    EXPECT_TRUE(sleep_on(bucket_a_));
    EXPECT_THAT(rings(), IsEmpty());
}

TEST_F(Doorbell, WritersDoNotHinderEachOther) {
    script(writer_, "BEGIN; " + insert_sql("'a'"));
    script(sleeper_, "SET lock_timeout = '5s'; " + insert_sql("'a'"));
    script(writer_, "COMMIT");
    EXPECT_EQ(database_.number("SELECT count(*) FROM outbox_events"), 2);
}

TEST_F(Doorbell, ThatLacksARightIsMuteAndFailsNoWriterAndIsToldOfWithTheGrant) {
    ASSERT_TRUE(sleep_on(bucket_a_));
    database_.query("ALTER FUNCTION outbox_doorbell() OWNER TO " + owner_.name());
    script(writer_, insert_sql("'a'"));
    EXPECT_THAT(rings(), IsEmpty());
    const std::string grant = "GRANT SELECT ON public.outbox_meta TO " + owner_.name() + ";";
    EXPECT_THAT(
        up(), AllOf(HasSubstr("trigger outbox_doorbell on public.outbox_events: is mute"), HasSubstr(grant)));
    database_.query(grant);
    EXPECT_THAT(up(), Not(HasSubstr("mute")));
    script(writer_, insert_sql("'a'"));
    EXPECT_THAT(rings(), ElementsAre(bucket_a_));
    for (const std::string function : {"pg_notify(text,text)", "pg_notification_queue_usage()",
                                       "pg_try_advisory_xact_lock_shared(integer,integer)"}) {
        SCOPED_TRACE(function);
        database_.query("REVOKE EXECUTE ON FUNCTION " + function + " FROM PUBLIC");
        script(writer_, "SET statement_timeout = '20s'; " + insert_sql("'a', 'b'"));
        EXPECT_THAT(rings(), IsEmpty());
        EXPECT_THAT(up(), HasSubstr("GRANT EXECUTE ON FUNCTION " + function + " TO " + owner_.name() + ";"));
        database_.query("GRANT EXECUTE ON FUNCTION " + function + " TO PUBLIC");
    }
    database_.query("ALTER FUNCTION outbox_doorbell() SECURITY INVOKER");
    EXPECT_THAT(up(), HasSubstr("ALTER FUNCTION outbox_doorbell() SECURITY DEFINER;"));
}

TEST_F(Doorbell, FailsNoWriterNorKeepsOneWaitingWhileItsTableIsLockedOrAway) {
    ASSERT_TRUE(sleep_on(bucket_a_));
    script(listener_, "BEGIN; LOCK TABLE outbox_meta IN ACCESS EXCLUSIVE MODE");
    script(writer_, "SET statement_timeout = '20s'; " + insert_sql("'a'"));
    script(listener_, "ROLLBACK");
    EXPECT_THAT(rings(), IsEmpty());
    database_.query("ALTER TABLE outbox_meta RENAME COLUMN doorbell TO bell");
    script(writer_, insert_sql("'a'"));
    database_.query("ALTER TABLE outbox_meta RENAME COLUMN bell TO doorbell");
    database_.query("ALTER TABLE outbox_meta RENAME TO meta");
    script(writer_, insert_sql("'a'"));
    EXPECT_THAT(rings(), IsEmpty());
    database_.query("ALTER TABLE meta RENAME TO outbox_meta");
    script(writer_, insert_sql("'a'"));
    EXPECT_THAT(rings(), ElementsAre(bucket_a_));
}

TEST_F(Doorbell, ThatIsGoneIsMadeAnewByUp) {
    for (const std::string gone :
         {"DROP TRIGGER outbox_doorbell ON outbox_events", "DROP FUNCTION outbox_doorbell() CASCADE"}) {
        database_.query(gone);
        EXPECT_THAT(up(), AllOf(HasSubstr("outbox_doorbell on public.outbox_events was gone: made anew"),
                                Not(HasSubstr("type:"))));
        EXPECT_THAT(up(), Not(HasSubstr("outbox_doorbell")));
    }
    ASSERT_TRUE(sleep_on(bucket_a_));
    script(writer_, insert_sql("'a'"));
    EXPECT_THAT(rings(), ElementsAre(bucket_a_));
}

TEST_F(Doorbell, ThatIsGoneIsNotMadeAnewWhileWritersAreInTheWay) {
    database_.query("DROP TRIGGER outbox_doorbell ON outbox_events");
    script(writer_, "BEGIN; " + insert_sql("'a'"));
    EXPECT_THAT(up(), HasSubstr("is not made anew: transactions that write there were in the way"));
    script(writer_, "COMMIT");
    EXPECT_THAT(up(), HasSubstr("made anew"));
}

TEST_F(Doorbell, AndTheGuardThatAreGoneOrDisabledAreToldOf) {
    script(writer_, insert_sql("'a'"));
    const std::string change = "UPDATE outbox_events SET topic = 'other'";
    EXPECT_EQ(state_of(database_, change), "55000");
    database_.query("DROP FUNCTION outbox_refuse_change() CASCADE");
    EXPECT_THAT(up(), HasSubstr("outbox_refuse_change on public.outbox_events was gone: made anew"));
    EXPECT_EQ(state_of(database_, change), "55000");
    EXPECT_EQ(state_of(database_, R"(UPDATE outbox_events SET headers = '{"a": "b"}')"), "55000");
    database_.query("ALTER TABLE outbox_events DISABLE TRIGGER outbox_refuse_change");
    EXPECT_THAT(up(), AllOf(HasSubstr("trigger outbox_refuse_change on public.outbox_events: is disabled"),
                            HasSubstr("ENABLE TRIGGER outbox_refuse_change;")));
}

TEST_F(Doorbell, AndTheGuardAgainstOldRelaysThatIsGoneOrDisabledIsToldOf) {
    const std::string old_relay =
        "INSERT INTO outbox_relays (relay, name, lease) VALUES (gen_random_uuid(), 'host:7', '10 s')";
    for (const std::string gone : {"DROP TRIGGER outbox_refuse_old_relay ON outbox_relays",
                                   "DROP FUNCTION outbox_refuse_old_relay() CASCADE"}) {
        database_.query(gone);
        const auto status =
            support::run({{support::program("outbox-relay"), "status"}, database_.environment()});
        EXPECT_THAT(status.output,
                    HasSubstr("trigger outbox_refuse_old_relay on public.outbox_relays: is gone: a "
                              "relay of version 0.1 may begin"));
        EXPECT_THAT(up(), HasSubstr("outbox_refuse_old_relay on public.outbox_relays was gone: made anew"));
        EXPECT_EQ(state_of(database_, old_relay), "55000");
        EXPECT_THAT(up(), Not(HasSubstr("outbox_refuse_old_relay")));
    }
    database_.query("ALTER TABLE outbox_relays DISABLE TRIGGER outbox_refuse_old_relay");
    EXPECT_THAT(up(), HasSubstr("ALTER TABLE public.outbox_relays ENABLE TRIGGER outbox_refuse_old_relay;"));
}

} // namespace
} // namespace outbox::migrations
