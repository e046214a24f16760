#include "shard/shard_machine.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace outbox::relay {
namespace {

using namespace std::chrono_literals;
using State = ShardState;

ShardMachine working() {
    ShardMachine machine;
    while (machine.state() != State::working) {
        machine.done();
    }
    return machine;
}

TEST(ShardMachine, FencesBeforeItReadsAndReadsBeforeItSettles) {
    ShardMachine machine;
    for (const State next : {State::fencing, State::reading, State::settling, State::working}) {
        machine.done();
        EXPECT_EQ(machine.state(), next);
    }
}

TEST(ShardMachine, AnyFailureLeadsThroughTheWholeRecovery) {
    for (int steps = 0; steps < 5; ++steps) {
        ShardMachine machine;
        for (int i = 0; i < steps; ++i) {
            machine.done();
        }
        machine.failed();
        EXPECT_EQ(machine.state(), State::backing_off);
        machine.done();
        EXPECT_EQ(machine.state(), State::unowned);
    }
}

TEST(ShardMachine, OneThatOwnsNothingEndsWhenToldToRelease) {
    ShardMachine machine;
    machine.heed({true, false});
    EXPECT_EQ(machine.state(), State::ended);
}

TEST(ShardMachine, OneThatOwnsTheShardStillSettlesWhatItLeft) {
    ShardMachine machine = working();
    machine.failed();
    machine.done();
    machine.heed({true, false});
    EXPECT_EQ(machine.state(), State::unowned);
}

TEST(ShardMachine, ReleasesAndRestsOnlyWithNothingInHand) {
    ShardMachine machine = working();
    machine.pass_ended(true, {true, true});
    EXPECT_EQ(machine.state(), State::working);
    machine.pass_ended(false, {false, true});
    EXPECT_EQ(machine.state(), State::resting);
    machine.done();
    EXPECT_EQ(machine.state(), State::working);
    machine.pass_ended(false, {true, true});
    EXPECT_EQ(machine.state(), State::releasing);
    machine.done();
    EXPECT_EQ(machine.state(), State::ended);
}

TEST(ShardMachine, AStoppedOneStandsUntilItIsToldToRelease) {
    ShardMachine machine = working();
    machine.stop();
    machine.heed({false, true});
    EXPECT_EQ(machine.state(), State::stopped);
    machine.heed({true, false});
    EXPECT_EQ(machine.state(), State::ended);
}

TEST(ShardMachine, OneThatRestsWorksAgainWhenItsPauseEnds) {
    ShardMachine machine = working();
    machine.pass_ended(false, {false, true});
    machine.pass_ended(false, {false, true});
    EXPECT_EQ(machine.state(), State::resting);
    machine.pass_ended(false, {});
    EXPECT_EQ(machine.state(), State::working);
}

TEST(ShardMachine, APassOfTheOthersChangesNothingForOneThatDoesNotWorkYet) {
    ShardMachine machine;
    machine.done();
    machine.pass_ended(false, {true, true});
    EXPECT_EQ(machine.state(), State::fencing);
}

TEST(ShardMachine, ClaimsWhenItIsTimeAndNothingIsReady) {
    EXPECT_TRUE(ShardMachine::plan_pass({}, true).claim);
    EXPECT_TRUE(ShardMachine::plan_pass({}, true).peek_first);
    EXPECT_TRUE(ShardMachine::plan_pass({}, false).nothing());
    EXPECT_FALSE(ShardMachine::plan_pass({true, true, false, false}, true).claim);
    EXPECT_FALSE(ShardMachine::plan_pass({false, true, false, true}, true).claim);
    const Pass pass = ShardMachine::plan_pass({false, true, true, false, true}, true);
    EXPECT_TRUE(pass.mark && pass.claim && !pass.peek_first);
    EXPECT_TRUE(ShardMachine::plan_pass({false, false, true, false, true}, false).mark);
}

TEST(ShardMachine, MarksNothingBeforeItsTopicsAreKnownToBeTheSame) {
    const InHand unproven{false, false, true, false, false};
    EXPECT_FALSE(ShardMachine::plan_pass(unproven, true).mark);
    EXPECT_TRUE(ShardMachine::plan_pass(unproven, true).claim);
}

/// Whatever happens in whatever order: no work without a whole recovery since the last failure.
TEST(ShardMachine, NeverWorksAfterAFailureWithoutAWholeRecovery) {
    std::mt19937 random(1);
    int worked = 0;
    for (int schedule = 0; schedule < 20'000; ++schedule) {
        ShardMachine machine;
        std::vector<State> since; // the last failure
        for (int i = 0; i < 40 && machine.state() != State::ended; ++i) {
            const Wishes wishes{random() % 16 == 0, random() % 4 == 0};
            machine.heed(wishes);
            since.push_back(machine.state());
            if (random() % 8 == 0) {
                machine.failed();
                since.clear();
            } else if (machine.state() == State::working) {
                ++worked;
                const std::vector<State> recovery{State::backing_off, State::unowned, State::fencing,
                                                  State::reading, State::settling};
                const std::size_t skip = since.front() == State::unowned ? 1 : 0; // the first of all
                ASSERT_TRUE(std::equal(recovery.begin() + static_cast<std::ptrdiff_t>(skip), recovery.end(),
                                       since.begin()))
                    << "schedule " << schedule;
                machine.pass_ended(random() % 2 == 0, wishes);
            } else {
                machine.done();
            }
        }
    }
    EXPECT_GT(worked, 1000);
}

TEST(Pace, LooksAtOnceAfterWorkThenEverMoreSlowly) {
    Pace pace;
    const Pace::Time now = SteadyClock::now();
    pace.busy(now);
    EXPECT_TRUE(pace.look_due(now));
    pace.look_later(now);
    EXPECT_FALSE(pace.look_due(now));
    EXPECT_TRUE(pace.look_due(now + 1ms));
    pace.look_now();
    EXPECT_TRUE(pace.look_due(now));
    EXPECT_EQ(pace.wait(), 2ms);
    EXPECT_EQ(pace.wait(), 4ms);
    EXPECT_EQ(pace.wait(), 8ms);
    EXPECT_EQ(pace.wait(), 10ms);
    EXPECT_EQ(pace.wait(), 10ms);
    pace.busy(now);
    EXPECT_EQ(pace.wait(), 1ms);
}

TEST(Pace, MaySleepAfterSomeQuiet) {
    Pace pace;
    const Pace::Time now = SteadyClock::now();
    pace.busy(now);
    EXPECT_FALSE(pace.may_sleep(now + 299ms));
    EXPECT_TRUE(pace.may_sleep(now + 300ms));
}

} // namespace
} // namespace outbox::relay
