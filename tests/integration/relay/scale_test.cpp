// Many relays: how shards spread, how fast the dead and the hung are replaced, and that nothing moves without
// need.

#include <outbox/support/relays.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <iostream>
#include <set>
#include <thread>

namespace outbox::relays {
namespace {

class Scale : public Relays {
protected:
    /// Asked for is a second; how busy the machine is shows in how long a relay takes to start.
    [[nodiscard]] std::chrono::milliseconds soon() const { return 1s * slowness + 3 * start_took_; }
    static constexpr auto leased = "3"; // seconds, of the fixture's relays

    /// Shards per living owner, smallest first, e.g. "4,4"; "-" while one has no owner.
    std::string spread() {
        return database.value("SELECT CASE WHEN bool_or(owner IS NULL) THEN '-' ELSE (SELECT "
                              "string_agg(n::text, ',' ORDER BY n)"
                              " FROM (SELECT count(*) AS n FROM outbox_shards GROUP BY owner) AS owners) END "
                              "FROM outbox_shards");
    }
    std::chrono::milliseconds until_spread(const std::string& wanted, std::chrono::milliseconds limit) {
        const auto took = time_until([&] { return spread() == wanted; }, limit);
        std::cout << "shards are spread " << wanted << " after " << took.count() << " ms\n";
        return took;
    }
    Process joined(Variables changes = {}) {
        changes.insert({"RELAY_SHARDS", "8"});
        Process relay = start_relay(changes);
        start_took_ = time_until([&] { return relay.count(Signal("started")) > 0; }, 30s);
        EXPECT_LT(start_took_, 30s) << relay.errors();
        return relay;
    }
    /// One whose wall clock is wrong by so many seconds.
    Process joined_at(int skew) {
        return joined({{"LD_PRELOAD", support::program("libskewed_clock.so")},
                       {"CLOCK_SKEW", std::to_string(skew)},
                       {"ASAN_OPTIONS", "verify_asan_link_order=0"}});
    }
    std::string epochs() {
        return database.value("SELECT string_agg(epoch::text, ',' ORDER BY shard) FROM outbox_shards");
    }
    std::string owner(const Process& relay) {
        return database.value(
            fmt::format("SELECT relay FROM outbox_relays WHERE name LIKE '%:{}'", relay.id()));
    }
    bool owns_nothing(const std::string& relay) {
        return database.number("SELECT count(*) FROM outbox_shards WHERE owner = $1", {relay}) == 0;
    }
    std::chrono::milliseconds until_replaced(const std::string& relay) {
        const auto took = time_until([&] { return owns_nothing(relay); }, 20s);
        std::cout << "a relay is replaced after " << took.count() << " ms\n";
        return took;
    }

private:
    std::chrono::milliseconds start_took_{0}; ///< of the newest relay
};

TEST_F(Scale, ShardsSpreadWithinASecondOfARelayThatJoinsOrLeaves) {
    Process first = joined();
    ASSERT_LT(until_spread("8", 20s), 20s) << first.errors();
    Process second = joined();
    EXPECT_LT(until_spread("4,4", 20s), soon()) << second.errors();
    Process third = joined();
    EXPECT_LT(until_spread("2,3,3", 20s), soon()) << third.errors();
    second.signal(SIGTERM);
    EXPECT_LT(until_spread("4,4", 20s), soon()) << first.errors() << third.errors();
    EXPECT_EQ(second.wait(Deadline::in(20s)).exit_code, 0);
}

TEST_F(Scale, ABacklogIsWorkedOffByTwoPipelinesAndWhatComesInSteadilyByOne) {
    const auto pipelines = std::min(2U, std::thread::hardware_concurrency());
    const auto serving = [this] {
        return database.number("SELECT count(DISTINCT slot) FROM outbox_shards WHERE owner IS NOT NULL");
    };
    ASSERT_EQ(support::run(load({"--copy", "--events", "200000", "--keys", "1000"}), 60s).exit_code, 0);
    const Process relay = joined();
    EXPECT_TRUE(wait_until([&] { return serving() == pipelines; }, 30s)) << relay.errors();
    EXPECT_TRUE(wait_until([&] { return count("status <> 'SENT'") == 0; }, 60s)) << relay.errors();
    Process writer(load({"--events", "1500", "--rate", "100", "--keys", "60"}));
    EXPECT_TRUE(wait_until([&] { return serving() == 1; }, 40s)) << relay.errors();
    EXPECT_EQ(writer.wait(Deadline::in(60s)).exit_code, 0);
    expect_exactly_once({"--wait", "60"});
}

TEST_F(Scale, AKilledRelayIsReplacedWithinASecondAndAHungOneWhenItsLeaseEnds) {
    Process first = joined();
    ASSERT_LT(until_spread("8", 20s), 20s);
    Process second = joined();
    ASSERT_LT(until_spread("4,4", 20s), 20s);
    const auto dead = owner(second);
    second.kill();
    EXPECT_LT(until_replaced(dead), soon()) << first.errors();

    Process third = joined();
    ASSERT_LT(until_spread("4,4", 20s), 20s);
    const auto hung = owner(third);
    third.signal(SIGSTOP);
    const auto took = until_replaced(hung);
    EXPECT_GT(took, 2s) << "a lease is " << leased << " s";
    EXPECT_LT(took, 4'500ms * slowness) << first.errors();
    third.signal(SIGCONT);
    EXPECT_LT(until_spread("4,4", 20s), 20s);
}

TEST_F(Scale, OfThreeRelaysOnOneShardTwoStandByAndOneOfThemTakesOver) {
    std::vector<Process> relays;
    for (int i = 0; i < 3; ++i) {
        relays.push_back(joined({{"RELAY_SHARDS", "1"}}));
    }
    ASSERT_LT(until_spread("1", 20s), 20s);
    ASSERT_TRUE(wait_sent(insert({.key = "a"})));
    const auto dead = database.value("SELECT owner FROM outbox_shards");
    const auto first = std::ranges::find(relays, dead, [&](const Process& relay) { return owner(relay); });
    ASSERT_NE(first, relays.end());
    const Activity standing_by = watch_relays(3s);
    EXPECT_LT(standing_by.with_snapshot, standing_by.samples / 4) << "more than statements met in passing";

    first->kill();
    relays.erase(first);
    EXPECT_LT(until_replaced(dead), soon());
    const auto heirs = [&] {
        return std::ranges::count_if(
            relays, [](const Process& relay) { return relay.count(Signal("recovered")) > 0; });
    };
    EXPECT_TRUE(wait_until([&] { return heirs() > 0; }));
    EXPECT_TRUE(wait_sent(insert({.key = "b"})));
    EXPECT_EQ(heirs(), 1);
    expect_exactly_once();
}

TEST_F(Scale, WithSteadyMembersOwnershipStandsStill) {
    const Process first = joined();
    const Process second = joined();
    const Process third = joined();
    ASSERT_LT(until_spread("2,3,3", 20s), 20s);
    const auto before = epochs();
    EXPECT_EQ(support::run(load({"--events", "2000", "--rate", "400"}), 60s).exit_code, 0);
    expect_exactly_once();
    EXPECT_EQ(epochs(), before) << first.errors();
}

TEST_F(Scale, ClocksTwentyMinutesApartChangeNothing) {
    Process exact = joined();
    Process ahead = joined_at(600);
    Process behind = joined_at(-600);
    ASSERT_LT(until_spread("2,3,3", 20s), 20s) << ahead.errors() << behind.errors();
    const auto before = epochs();
    EXPECT_EQ(support::run(load({"--events", "1000", "--rate", "400"}), 60s).exit_code, 0);
    // Without created_at: stamped by the relay that sends it.
    database.query(
        "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic,"
        " created_at) SELECT gen_random_uuid(), 'user', i::text, 'user.created', '{}', $1, NULL"
        " FROM generate_series(1, 64) AS i",
        {topic});
    EXPECT_TRUE(wait_until([&] { return count("status <> 'SENT'") == 0; }, 30s));
    EXPECT_EQ(epochs(), before) << exact.errors() << ahead.errors() << behind.errors();

    const auto dead = owner(ahead);
    ahead.kill();
    EXPECT_LT(time_until([&] { return owns_nothing(dead); }, 20s), soon()) << exact.errors();
    const auto hung = owner(behind);
    behind.signal(SIGSTOP);
    const auto took = time_until([&] { return owns_nothing(hung); }, 20s);
    EXPECT_GT(took, 2s) << "a lease is " << leased << " s";
    EXPECT_LT(took, 4'500ms * slowness) << exact.errors();
    behind.signal(SIGCONT);
    EXPECT_LT(until_spread("4,4", 20s), 20s);
    EXPECT_EQ(support::run(load({"--events", "500"}), 60s).exit_code, 0);
    expect_exactly_once();

    std::set<std::int64_t> stamps;
    for (const Message& message : read_topic(topic)) {
        stamps.insert(message.timestamp_ms);
    }
    EXPECT_GT(*stamps.rbegin() - *stamps.begin(), 1'150'000) << "the clocks were not wrong";
}

TEST_F(Scale, ARollingRestartOfFourRelaysMovesEachShardAtMostTwice) {
    std::vector<Process> relays;
    for (int i = 0; i < 4; ++i) {
        relays.push_back(joined());
    }
    ASSERT_LT(until_spread("2,2,2,2", 20s), 20s);
    database.query("CREATE TABLE moved AS SELECT shard, epoch FROM outbox_shards");
    Process writer(load({"--events", "2000", "--rate", "200"}));
    for (Process& relay : relays) {
        EXPECT_EQ(stop(relay).exit_code, 0);
        ASSERT_LT(until_spread("2,3,3", 20s), 20s);
        relay = joined();
        ASSERT_LT(until_spread("2,2,2,2", 20s), 20s);
    }
    EXPECT_EQ(writer.wait(Deadline::in(60s)).exit_code, 0);
    EXPECT_LE(database.number(
                  "SELECT max(s.epoch - m.epoch) FROM outbox_shards AS s JOIN moved AS m USING (shard)"),
              2);
    expect_exactly_once();
}

} // namespace
} // namespace outbox::relays
