// kill -9 and SIGSTOP of relays at named points and at random ones; the judge is outbox-check, which shares
// no code with the relay and reads read_committed.

#include <outbox/support/database.hpp>
#include <outbox/support/environment.hpp>
#include <outbox/support/process.hpp>
#include <outbox/support/wait.hpp>

#include <gtest/gtest.h>

#include <csignal>
#include <random>
#include <string_view>
#include <vector>

namespace outbox {
namespace {

using namespace std::chrono_literals;
using support::Command;
using support::Process;

class Crash : public testing::Test {
protected:
    support::TestDatabase database;

    [[nodiscard]] std::map<std::string, std::string> environment() const {
        auto variables = database.environment();
        variables["KAFKA_BROKERS"] = support::required_variable("KAFKA_BROKERS");
        variables["RELAY_SHARDS"] = "4";
        variables["RELAY_LEASE"] = "9"; // statements may take a third of it
        variables["LOG_LEVEL"] = "info";
        return variables;
    }

    Process relay() { return Process({{support::program("outbox-relay-faults")}, environment()}); }

    Process relay_with_fault(const std::string& fault) {
        auto variables = environment();
        variables["OUTBOX_FAULT"] = fault;
        variables["RELAY_TRANSACTION_EVENTS"] = "40"; // so that each point is passed several times
        variables["RELAY_BATCH_SIZE"] = "40";
        return Process({{support::program("outbox-relay-faults")}, variables});
    }

    Command load(int events, int rate = 0) {
        return {{support::program("outbox-load"), "--events", std::to_string(events), "--keys", "100",
                 "--writers", "2", "--batch", "10", "--topic", database.name(), "--rate",
                 std::to_string(rate), "--rollback-percent", "5"},
                environment()};
    }

    void expect_exactly_once(std::chrono::seconds patience) {
        const auto verdict = support::run(
            {{support::program("outbox-check"), "--wait", std::to_string(patience.count())}, environment()},
            patience + 60s);
        EXPECT_EQ(verdict.exit_code, 0) << verdict.output << verdict.errors;
    }
};

int rounds() {
    const auto wished = support::optional_variable("OUTBOX_CRASH_ROUNDS");
    return wished ? std::stoi(*wished) : 3;
}

class CrashAt : public Crash, public testing::WithParamInterface<const char*> {};

TEST_P(CrashAt, EveryEventIsSeenOnceAndInOrder) {
    for (int round = 1; round <= rounds(); ++round) {
        ASSERT_EQ(support::run(load(400)).exit_code, 0);
        const bool once = GetParam() == std::string_view("after-init"); // whatever the number of shards
        Process doomed =
            relay_with_fault(std::string(GetParam()) + ":" + std::to_string(once ? 1 : round % 5 + 1));
        const auto outcome = doomed.wait(Deadline::in(60s));
        ASSERT_EQ(outcome.signal, SIGKILL) << "the point was never passed: " << outcome.errors;
    }
    Process survivor = relay();
    expect_exactly_once(60s);
}

INSTANTIATE_TEST_SUITE_P(NamedPoints, CrashAt,
                         testing::Values("after-epoch", "after-init", "after-settle", "before-claim",
                                         "after-claim", "before-produce", "before-commit", "after-commit",
                                         "before-mark", "after-mark"),
                         [](const auto& point) {
                             std::string name = point.param;
                             name.replace(name.find('-'), 1, "_");
                             return name;
                         });

TEST_F(Crash, AShardKilledAroundItsFirstManifestWritesItOnce) {
    for (const char* point : {"before-first-produce:1", "before-first-commit:1", "after-first-commit:1"}) {
        Process doomed = relay_with_fault(point);
        const auto outcome = doomed.wait(Deadline::in(60s));
        ASSERT_EQ(outcome.signal, SIGKILL) << "the point was never passed: " << outcome.errors;
    }
    ASSERT_EQ(support::run(load(400)).exit_code, 0);
    Process survivor = relay();
    expect_exactly_once(60s);
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_shards WHERE marked_batch > 0"), 4);
}

TEST_F(Crash, ThreeRelaysUnderRandomKillsDeliverEachEventOnce) {
    constexpr int events = 50'000;
    std::mt19937 random(std::random_device{}());
    std::vector<Process> relays;
    for (int i = 0; i < 3; ++i) {
        relays.push_back(relay());
    }
    Process writer(load(events, 2'000));
    int kills = 0;
    const Deadline campaign = Deadline::in(30s);
    while (!campaign.passed()) {
        auto& victim = relays[random() % relays.size()];
        victim.wait_for(support::Signal("never"),
                        Deadline::in(milliseconds(200 + random() % 1'500))); // a random moment
        victim.kill();
        ++kills;
        victim = relay();
    }
    EXPECT_EQ(writer.wait(Deadline::in(60s)).exit_code, 0);
    EXPECT_GT(kills, 10);
    expect_exactly_once(60s);
    EXPECT_GE(database.number("SELECT count(*) FROM outbox_events"), events * 9 / 10);
}

TEST_F(Crash, ARelayStoppedBetweenEpochAndInitDoesNoHarmWhenItGoesOn) {
    ASSERT_EQ(support::run(load(500)).exit_code, 0);
    Process hung = relay_with_fault("after-epoch:1:stop");
    ASSERT_TRUE(support::wait_until([&] { return hung.stopped(); }, 60s)) << hung.errors();
    EXPECT_GT(database.number("SELECT count(*) FROM outbox_shards WHERE epoch > 0"), 0);
    Process successor = relay();
    Process writer(load(4'000, 400));
    ASSERT_TRUE(successor.wait_for(support::Signal("recovered"), Deadline::in(60s))) << successor.errors();
    hung.signal(SIGCONT);
    EXPECT_EQ(writer.wait(Deadline::in(60s)).exit_code, 0);
    expect_exactly_once(60s);
}

TEST_F(Crash, ARelayHungInMidTransactionIsReplacedAndItsEventsAreSeenOnce) {
    ASSERT_EQ(support::run(load(500)).exit_code, 0);
    Process hung = relay_with_fault("before-commit:2:stop");
    ASSERT_TRUE(support::wait_until([&] { return hung.stopped(); }, 60s)) << hung.errors();
    EXPECT_LT(database.number("SELECT count(*) FROM outbox_events WHERE status = 'SENT'"),
              database.number("SELECT count(*) FROM outbox_events"));
    Process successor = relay();
    expect_exactly_once(90s);
    hung.signal(SIGCONT);
    ASSERT_EQ(support::run(load(500)).exit_code, 0);
    expect_exactly_once(60s);
}

TEST_F(Crash, SigtermDrainsAndLeavesNothingInFlight) {
    Process stopping = relay();
    ASSERT_TRUE(stopping.wait_for(support::Signal("recovered"), Deadline::in(60s)));
    ASSERT_EQ(support::run(load(20'000)).exit_code, 0);
    stopping.signal(SIGTERM);
    const auto outcome = stopping.wait(Deadline::in(20s));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_events WHERE status = 'PROCESSING'"), 0)
        << outcome.errors;
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_shards WHERE owner IS NOT NULL"), 0);
    EXPECT_NE(outcome.errors.find("relay drained"), std::string::npos);
    Process next = relay();
    expect_exactly_once(60s);
}

} // namespace
} // namespace outbox
