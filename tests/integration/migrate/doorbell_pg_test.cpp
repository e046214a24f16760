#include "fixture.hpp"

#include <outbox/core/wakeup.hpp>

#include <gmock/gmock.h>

namespace outbox::migrations {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
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

} // namespace
} // namespace outbox::migrations
