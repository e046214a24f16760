// Changes of a shard's owner: what the one before began, had sent or does when it comes to again.

#include <outbox/support/relays.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <csignal>
#include <thread>

namespace outbox::relays {
namespace {

class Succession : public Relays {
protected:
    const Variables one_shard{{"RELAY_SHARDS", "1"}, {"RELAY_TRANSACTION_EVENTS", "20"}};

    void write(int events) {
        const auto written = support::run(load({"--events", std::to_string(events), "--batch", "5"}), 60s);
        EXPECT_EQ(written.exit_code, 0) << written.errors;
    }
    std::int64_t epoch() { return database.number("SELECT epoch FROM outbox_shards"); }
};

class TwoWriters : public Succession {
protected:
    void SetUp() override {
        database.query("CREATE TABLE accounts (name text PRIMARY KEY, n bigint NOT NULL, writer text);"
                       " INSERT INTO accounts VALUES ('a', 0, '')");
    }
    /// Changes the one account until told to stop; n counts the changes in the order of their commits.
    [[nodiscard]] std::jthread writer(const std::string& name) const {
        return std::jthread([this, name](const std::stop_token& stop) {
            auto session = database.connect();
            while (!stop.stop_requested()) {
                script(session,
                       fmt::format("BEGIN; SELECT FROM accounts WHERE name = 'a' FOR UPDATE;"
                                   " SELECT pg_sleep(0.002);" // so that the other one waits for this
                                   " UPDATE accounts SET n = n + 1, writer = '{}';"
                                   " INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type,"
                                   " event_data, topic) SELECT gen_random_uuid(), 'account', name,"
                                   " 'account.changed', jsonb_build_object('n', n, 'writer', writer), '{}'"
                                   " FROM accounts; COMMIT",
                                   name, topic));
            }
        });
    }
    std::int64_t turns() {
        return database.number(
            "SELECT count(*) FROM (SELECT event_data ->> 'writer' AS one, lag(event_data ->> "
            "'writer') OVER (ORDER BY seq) AS other FROM outbox_events) AS e WHERE one <> other");
    }
    bool wait_some_sent(std::int64_t more) {
        const auto before = count("status = 'SENT'");
        return wait_until([&] { return count("status = 'SENT'") >= before + more; }, 60s);
    }
};

TEST_F(TwoWriters, OfOneKeyStayInOrderWhileItsOwnersAreKilledAndRelieved) {
    constexpr int changes = 6;
    Process owner = ready_relay(one_shard);
    {
        const auto left = writer("left");
        const auto right = writer("right");
        for (int change = 0; change < changes; ++change) {
            Process next = start_relay(one_shard);
            ASSERT_TRUE(next.wait_for(Signal("started"), Deadline::in(60s)));
            ASSERT_TRUE(wait_some_sent(20)) << owner.errors();
            if (change % 2 == 0) {
                owner.kill();
            } else {
                EXPECT_EQ(stop(owner).exit_code, 0);
            }
            ASSERT_TRUE(next.wait_for(Signal("recovered"), Deadline::in(60s))) << next.errors();
            owner = std::move(next);
        }
    }
    EXPECT_GE(epoch(), changes + 1);
    EXPECT_GT(turns(), 50) << "the writers did not take turns";
    expect_exactly_once({"--wait", "60", "--order-by", "n"});
}

class HungAt : public Succession, public testing::WithParamInterface<const char*> {};

TEST_P(HungAt, PastItsLeaseAndTheBrokersPatienceARelayLeavesItsSuccessorAlone) {
    write(100);
    Process hung = start_relay_with_fault(GetParam(), one_shard);
    ASSERT_TRUE(wait_until([&] { return hung.stopped(); }, 90s)) << hung.errors();
    const Process successor = ready_relay(one_shard);
    expect_exactly_once();
    const auto taken = epoch();
    stay_quiet(broker_gives_up);
    hung.signal(SIGCONT);
    EXPECT_TRUE(hung.wait_for(Signal("lost"), Deadline::in(60s))) << hung.errors();
    write(100);
    expect_exactly_once();
    EXPECT_EQ(epoch(), taken) << successor.errors();
}

INSTANTIATE_TEST_SUITE_P(NamedPoints, HungAt, testing::Values("before-commit:2:stop", "after-commit:1:stop"),
                         [](const auto& point) {
                             std::string name(point.param, std::string(point.param).find(':'));
                             std::ranges::replace(name, '-', '_');
                             return name;
                         });

TEST_F(Succession, ATableThatIsEmptiedWhileItsRelayDiesLosesNoneOfTheNewEventsAndItsShardGoesOn) {
    for (int i = 0; i < 3; ++i) {
        insert({.key = "a"}); // one bucket, so that the numbers meet
    }
    Process doomed = start_relay_with_fault("after-commit:1", one_shard);
    ASSERT_EQ(doomed.wait(Deadline::in(60s)).signal, SIGKILL) << doomed.errors();
    database.query("TRUNCATE outbox_events RESTART IDENTITY");
    for (int i = 0; i < 5; ++i) {
        insert({.key = "a"});
    }
    ASSERT_EQ(database.number("SELECT min(seq) FROM outbox_events"), 1);
    const Process relay = ready_relay(one_shard);
    EXPECT_TRUE(wait_until([&] { return count("status = 'SENT'") == 5; }, 30s)) << relay.errors();
    EXPECT_EQ(relay.count(Signal("recovered").with("emptied", "1")), 1) << relay.errors();
    EXPECT_EQ(read_topic(topic).size(), 8U);
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_shards WHERE stopped IS NOT NULL"), 0);
}

TEST_F(Succession, ANumberThatOneOfSeveralEventsLostStopsTheShard) {
    for (const char* key : {"a", "b", "c"}) {
        insert({.key = key});
    }
    Process doomed = start_relay_with_fault("after-commit:1", one_shard);
    ASSERT_EQ(doomed.wait(Deadline::in(60s)).signal, SIGKILL) << doomed.errors();
    // A standby that had got all but the last commit, and gave its number out again.
    database.query(
        "DELETE FROM outbox_events WHERE seq = (SELECT max(seq) FROM outbox_events);"
        " SELECT setval(pg_get_serial_sequence('outbox_events', 'seq'), max(seq)) FROM outbox_events");
    insert({.key = "c"});
    const Process relay = start_relay(one_shard);
    EXPECT_TRUE(wait_until(
        [&] { return database.number("SELECT count(*) FROM outbox_shards WHERE stopped IS NOT NULL") == 1; },
        60s))
        << relay.errors();
    EXPECT_EQ(count("aggregate_id = 'c' AND status = 'SENT'"), 0);
}

TEST_F(Succession, NumbersOfEventsThatTheDatabaseLostAreNotGivenOutAgain) {
    for (const char* key : {"a", "b", "c"}) {
        insert({.key = key});
    }
    Process doomed = start_relay_with_fault("after-commit:1", one_shard);
    ASSERT_EQ(doomed.wait(Deadline::in(60s)).signal, SIGKILL) << doomed.errors();
    const auto largest = database.number("SELECT max(seq) FROM outbox_events");
    // What is left when a standby takes over that had not got the last commits.
    database.query(
        "DELETE FROM outbox_events; SELECT setval(pg_get_serial_sequence('outbox_events', 'seq'), 1)");
    const Process relay = ready_relay(one_shard);
    const auto id = insert({.key = "a"});
    EXPECT_GT(database.number("SELECT seq FROM outbox_events"), largest);
    EXPECT_TRUE(wait_sent(id)) << relay.errors();
}

} // namespace
} // namespace outbox::relays
