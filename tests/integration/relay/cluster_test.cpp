// Three brokers, of which one or all go away: in mid-transaction, for a topic alone, with too few replicas
// left. The servers are this program's own.

#include <outbox/support/environment.hpp>
#include <outbox/support/relays.hpp>
#include <outbox/support/stack.hpp>
#include <outbox/support/topics.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <csignal>
#include <iostream>
#include <memory>

namespace outbox::relays {
namespace {

std::unique_ptr<support::Stack> stack;

class Servers : public testing::Environment {
public:
    void SetUp() override { stack = std::make_unique<support::Stack>(support::Stack::Options{.brokers = 3}); }
    void TearDown() override { stack.reset(); }
};

const auto* const servers = testing::AddGlobalTestEnvironment(new Servers); // owned by gtest

/// Away until the end of its scope, or until it is told to come back.
class Away {
public:
    Away(const std::string& how, std::int32_t broker) : broker_(std::to_string(broker)) {
        stack->run({how, broker_});
    }
    Away(const Away&) = delete;
    Away& operator=(const Away&) = delete;
    ~Away() { come_back(); }

    void come_back() {
        if (away_) {
            stack->run({"start-kafka", broker_});
            away_ = false;
        }
    }

private:
    std::string broker_;
    bool away_ = true;
};

class Cluster : public Relays {
protected:
    static constexpr int transaction_partitions = 8; // of tools/stack

    void TearDown() override {
        if (HasFailure() && shown_ != nullptr) {
            std::cerr << shown_->errors();
        }
    }
    /// Its words are shown when the test fails.
    void watch(const Process& relay) { shown_ = &relay; }

    /// As the coordinators do it: Java's String.hashCode over the partitions of their topic.
    [[nodiscard]] std::int32_t coordinator_of(const std::string& transactional_id) const {
        std::uint32_t hash = 0;
        for (const char c : transactional_id) {
            hash = hash * 31 + static_cast<unsigned char>(c);
        }
        return leader_of("__transaction_state",
                         static_cast<std::int32_t>((hash & 0x7fffffffU) % transaction_partitions));
    }

    /// A relay of one shard that stands still before the commit of its first transaction.
    Process relay_in_mid_transaction() {
        Process relay = start_relay_with_fault("before-commit:1:stop", {{"RELAY_SHARDS", "1"}});
        EXPECT_TRUE(relay.wait_for(Signal("recovered"), Deadline::in(60s))) << relay.errors();
        write(300);
        EXPECT_TRUE(wait_until([&] { return relay.stopped(); }, 30s)) << relay.errors();
        return relay;
    }

    void write(int events, const std::string& to = {}) {
        const auto written = support::run(load({"--events", std::to_string(events), "--keys", "60", "--batch",
                                                "5", "--topic", to.empty() ? topic : to}),
                                          60s);
        EXPECT_EQ(written.exit_code, 0) << written.errors;
    }

    bool wait_all_sent(const std::string& where, std::chrono::milliseconds limit = 60s) {
        return wait_until([&] { return count("status <> 'SENT' AND " + where) == 0; }, limit);
    }
    /// How long all brokers are away.
    static std::chrono::seconds outage() {
        const auto asked = support::optional_variable("OUTBOX_OUTAGE_SECONDS");
        return std::chrono::seconds(asked ? std::stoi(*asked) : 10);
    }
    /// Lets the brokers start, and measures how soon the relay goes on once each partition is led again.
    /// Asked for is two seconds; how busy the machine is shows in how long the brokers take.
    void expect_goes_on_soon(const std::string& start) {
        const auto sent = [&] { return count("status = 'SENT'"); };
        const auto started = SteadyClock::now();
        stack->run({start});
        ASSERT_TRUE(wait_until([&] { return all_led(); }, 60s));
        const auto before = sent();
        const auto back_after = std::chrono::duration_cast<milliseconds>(SteadyClock::now() - started);
        const auto took = time_until([&] { return sent() > before; }, 60s);
        std::cout << "goes on " << took.count() << " ms after the brokers were back, which took "
                  << back_after.count() << " ms\n";
        EXPECT_LE(took, 2s * slowness + back_after / 2);
    }
    [[nodiscard]] bool all_led() const {
        const auto led = [](const std::string& name, std::int32_t partitions) {
            for (std::int32_t partition = 0; partition < partitions; ++partition) {
                if (leader_of(name, partition) < 1) {
                    return false;
                }
            }
            return true;
        };
        return led("__transaction_state", transaction_partitions) && led(topic, 6) &&
               led("outbox." + database.name() + ".control", shards);
    }
    void expect_no_retry_spent() { EXPECT_EQ(count("retry_count > 0 OR status = 'FAILED'"), 0); }

private:
    const Process* shown_ = nullptr;
};

TEST_F(Cluster, ATopicWhoseLeaderIsAwayIsParkedAloneAndCostsNoRetry) {
    const auto lonely = topic + "-lonely";
    create_topic(lonely, 2, {}, {3});
    create_topic(topic, 6, {}, {1, 2, 3});
    const Process relay = ready_relay();
    watch(relay);
    write(100, lonely + ',' + topic);
    ASSERT_TRUE(wait_all_sent("true"));
    Away third("stop-kafka", 3);
    write(50, lonely);
    write(500);
    EXPECT_TRUE(wait_all_sent(fmt::format("topic = '{}'", topic)));
    EXPECT_EQ(count(fmt::format("status = 'SENT' AND topic = '{}' AND seq > 100", lonely)), 0);
    write(100);
    EXPECT_TRUE(wait_all_sent(fmt::format("topic = '{}'", topic)))
        << "the other topic does not go on" << relay.errors();
    expect_no_retry_spent();
    EXPECT_GE(relay.count(Signal("topic_parked")), 1);
    third.come_back();
    expect_exactly_once();
    expect_no_retry_spent();
}

TEST_F(Cluster, ATopicWithoutALeaderIsNotTried) {
    const auto leaderless =
        topic + "-leaderless"; // and never sent to, so that no marker can be missing there
    create_topic(leaderless, 2, {}, {3});
    create_topic(topic, 6, {}, {1, 2, 3});
    Away third("stop-kafka", 3);
    const Process relay = ready_relay();
    watch(relay);
    write(100, leaderless + ',' + topic);
    write(500);
    EXPECT_TRUE(wait_all_sent(fmt::format("topic = '{}'", topic)));
    EXPECT_EQ(count(fmt::format("status = 'SENT' AND topic = '{}'", leaderless)), 0);
    EXPECT_GE(relay.count(Signal("topic_parked")), 1);
    EXPECT_EQ(relay.count(Signal("recovers")), 0) << "a transaction that could not succeed";
    third.come_back();
    expect_exactly_once();
    expect_no_retry_spent();
}

TEST_F(Cluster, ACoordinatorThatDiesInMidTransactionCostsNoEvent) {
    create_topic(topic, 6, {}, {1, 2, 3});
    Process relay = relay_in_mid_transaction();
    watch(relay);
    const auto id = database.value("SELECT 'outbox-' || outbox_id || '-0-1' FROM outbox_meta");
    const auto coordinator = coordinator_of(id);
    ASSERT_GT(coordinator, 0);
    const Away first("kill-kafka", coordinator);
    ASSERT_TRUE(wait_until([&] { return coordinator_of(id) > 0 && coordinator_of(id) != coordinator; }, 60s));
    relay.signal(SIGCONT);
    expect_exactly_once();
    expect_no_retry_spent();
}

TEST_F(Cluster, ALeaderThatDiesInMidTransactionCostsNoEvent) {
    create_topic(topic, 1, {}, {2, 3, 1});
    Process relay = relay_in_mid_transaction();
    watch(relay);
    ASSERT_EQ(leader_of(topic, 0), 2);
    const Away second("kill-kafka", 2);
    ASSERT_TRUE(wait_until([&] { return leader_of(topic, 0) == 3; }, 60s));
    relay.signal(SIGCONT);
    expect_exactly_once();
    expect_no_retry_spent();
}

/// A relay that has a transaction open there when the replica goes keeps that shard waiting for as long:
/// Kafka itself cannot end a transaction in a partition that takes no marker.
TEST_F(Cluster, TooFewReplicasParkTheirTopicAlone) {
    const auto strict = topic + "-strict";
    create_topic(strict, 1, {{"min.insync.replicas", "3"}}, {1, 2, 3});
    create_topic(topic, 6, {}, {1, 2, 3});
    {
        Process before = ready_relay();
        write(100, strict + ',' + topic);
        ASSERT_TRUE(wait_all_sent("true"));
        before.signal(SIGTERM);
        ASSERT_EQ(before.wait(Deadline::in(60s)).exit_code, 0) << before.errors();
    }
    Away second("stop-kafka", 2);
    Process relay = ready_relay();
    watch(relay);
    write(20, strict);
    EXPECT_TRUE(relay.wait_for(Signal("topic_parked").saying("min.insync.replicas=3"), Deadline::in(60s)))
        << relay.errors();
    write(100);
    EXPECT_TRUE(wait_all_sent(fmt::format("topic = '{}'", topic)))
        << "the other topic does not go on" << relay.errors();
    EXPECT_EQ(count(fmt::format("status = 'SENT' AND topic = '{}' AND seq > 100", strict)), 0);
    second.come_back();
    expect_exactly_once();
    expect_no_retry_spent();
}

TEST_F(Cluster, AllBrokersKilledAtOnceCostNoEventAndNoRetry) {
    create_topic(topic, 6, {}, {1, 2, 3});
    const Process relay = ready_relay();
    watch(relay);
    const auto away = outage();
    const auto events = 150 * (away.count() + 10);
    Process writer(load({"--events", std::to_string(events), "--rate", "150", "--keys", "60"}));
    ASSERT_TRUE(wait_until([&] { return count("status = 'SENT'") > 200; }, 30s));
    stack->run({"kill-kafka"});
    stay_quiet(away);
    expect_goes_on_soon("start-kafka");
    EXPECT_EQ(writer.wait(Deadline::in(60s)).exit_code, 0);
    expect_exactly_once({"--wait", "90"});
    expect_no_retry_spent();
}

TEST_F(Cluster, MissingTopicsAreMadeWithTheReplicasAskedFor) {
    const Process relay = ready_relay({{"KAFKA_REPLICATION_FACTOR", "2"}}); // the brokers' own default is 3
    watch(relay);
    ASSERT_TRUE(wait_sent(insert({.key = "a"}), 60s));
    EXPECT_EQ(support::shape_of(topic).replicas, 2);
    EXPECT_EQ(support::shape_of("outbox." + database.name() + ".control").replicas, 2);
    expect_exactly_once();
}

} // namespace
} // namespace outbox::relays
