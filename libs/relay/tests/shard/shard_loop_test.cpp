#include "fakes.hpp"
#include "shard/shard_loop.hpp"

#include <outbox/kafka/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox::relay {
namespace {

using testing::Contains;
using testing::ElementsAre;

/// The loop as it is, stepped by hand, without servers.
class ShardLoopTest : public testing::Test {
protected:
    ShardLoopTest() : options_(fakes::options()) { identity_.outbox_id = Uuid::random(); }

    ShardLoop& loop() {
        if (!loop_) {
            loop_.emplace(ShardLoop::Settings{Uuid::random(), identity_, returns_, [] {}},
                          Work::Settings{0, options_, identity_.outbox_id, pauses_, budget_, outlived_},
                          Seams{session_, kafka_, topics_, identities_, clock_, observer_},
                          fakes::publisher(ends_));
        }
        return *loop_;
    }
    /// Steps it until it is there.
    testing::AssertionResult until(ShardState state) {
        constexpr int patience = 50;
        for (int i = 0; i < patience; ++i) {
            if (loop().state() == state) {
                return testing::AssertionSuccess();
            }
            step();
        }
        return testing::AssertionFailure() << "it is in state " << static_cast<int>(loop().state());
    }
    void step() {
        loop().step();
        loop().publisher().work();
    }
    void steps(int count) {
        for (int i = 0; i < count; ++i) {
            step();
        }
    }
    /// Works, and the first manifest is marked.
    void be_at_work() {
        ASSERT_TRUE(until(ShardState::working));
        steps(4);
        ASSERT_EQ(database().marks.size(), 1U);
        database().calls.clear();
    }
    fakes::Database& database() { return session_.fake; }

    RelayOptions options_;
    store::Identity identity_;
    std::atomic<unsigned> returns_{0};
    Pauses pauses_;
    delivery::ClaimBudget budget_{1U << 20U};
    Observer observer_;
    Outlived outlived_{observer_};
    fakes::Session session_;
    fakes::Kafka kafka_;
    fakes::Topics topics_;
    fakes::Identities identities_;
    fakes::Time clock_;
    std::deque<kafka::TransactionEnd> ends_;
    std::optional<ShardLoop> loop_;
};

TEST_F(ShardLoopTest, TakesItsShardAndMarksTheFirstManifestBeforeItClaims) {
    database().ready.push_back(fakes::rows_of({1}));
    ASSERT_TRUE(until(ShardState::working));
    EXPECT_THAT(database().calls, ElementsAre("acquire", "settle"));
    while (database().marks.empty()) {
        EXPECT_THAT(database().calls, ElementsAre("acquire", "settle"));
        step();
    }
    EXPECT_EQ(database().marks.back().batch, 1);
    EXPECT_THAT(database().calls, ElementsAre("acquire", "settle", "claim", "commit", "note topic events"));
    steps(3);
    EXPECT_EQ(database().marks.back().batch, 2);
}

TEST_F(ShardLoopTest, AnothersShardIsLeftToItWithoutAFailure) {
    database().free = false;
    step();
    EXPECT_EQ(loop().state(), ShardState::ended);
    EXPECT_FALSE(loop().step());
    EXPECT_TRUE(loop().ended());
    EXPECT_FALSE(session_.opened);
    EXPECT_FALSE(loop().hindrance());
}

TEST_F(ShardLoopTest, IsLostWhenTheShardIsSeenToBeAnothers) {
    be_at_work();
    loop().bell().doubt();
    step();
    EXPECT_EQ(loop().state(), ShardState::working) << "it is not";
    database().owner = false;
    loop().bell().doubt();
    step();
    EXPECT_EQ(loop().state(), ShardState::ended);
}

TEST_F(ShardLoopTest, ATurnThatFindsAnotherOwnerEndsIt) {
    be_at_work();
    database().ready.push_back(fakes::rows_of({1}));
    database().before_commit = [] { throw store::NotOwner("not owned under epoch 1 any more"); };
    steps(2);
    EXPECT_EQ(loop().state(), ShardState::ended);
}

TEST_F(ShardLoopTest, AfterADoubtfulCommitItWaitsAndRecovers) {
    be_at_work();
    ends_.push_back({std::nullopt, true, {}});
    database().ready.push_back(fakes::rows_of({1}));
    ASSERT_TRUE(until(ShardState::backing_off));
    EXPECT_EQ(loop().in_flight(), 1U);
    const int waits = clock_.waits;
    step();
    EXPECT_GT(clock_.waits, waits);
    ASSERT_TRUE(until(ShardState::working));
    EXPECT_THAT(database().calls, Contains("acquire"));
}

TEST_F(ShardLoopTest, AClaimThatLosesItsConnectionIsTakenForTooLargeOnlyWhenTheNextOneDoesSoToo) {
    be_at_work();
    const auto before = database().limits.back().rows_a_statement;
    const auto lose = [this](int claims) {
        database().before_commit = [this, claims, lost = 0]() mutable {
            if (database().calls.back() == "claim" && lost++ < claims) {
                throw postgres::DatabaseError({}, "server closed the connection unexpectedly");
            }
        };
        database().calls.clear();
        for (int i = 0; i <= claims; ++i) {
            database().ready.push_back(fakes::rows_of({1}));
        }
        steps(60);
    };
    lose(1);
    EXPECT_EQ(database().limits.back().rows_a_statement, before) << "a server that restarts";
    lose(1);
    EXPECT_EQ(database().limits.back().rows_a_statement, before) << "much later";
    lose(2);
    EXPECT_LT(database().limits.back().rows_a_statement, before);
}

TEST_F(ShardLoopTest, ATopicThatCanBeAskedAgainLeadsToARecoveryAtOnceAndIsNoFailure) {
    kafka_.unmarked = {"events"};
    kafka_.leaderless = {"events"};
    be_at_work();
    clock_.moment += std::chrono::seconds(10);
    steps(2);
    EXPECT_EQ(loop().state(), ShardState::working);
    kafka_.leaderless = {};
    kafka_.unmarked = {};
    clock_.moment += std::chrono::seconds(10);
    const int waits = clock_.waits;
    step();
    EXPECT_EQ(loop().state(), ShardState::unowned);
    EXPECT_EQ(clock_.waits, waits);
    clock_.moment += std::chrono::seconds(10);
    EXPECT_FALSE(loop().hindrance());
    ASSERT_TRUE(until(ShardState::working));
}

TEST_F(ShardLoopTest, AContradictionStopsItUntilAnOperatorTakesItsReasonAway) {
    kafka_.tail.records.push_back({0, "no manifest"});
    ASSERT_TRUE(until(ShardState::stopped));
    ASSERT_TRUE(database().stopped_for);
    steps(2);
    EXPECT_THAT(*database().stopped_for, testing::HasSubstr("cannot be read"));
    EXPECT_EQ(loop().state(), ShardState::stopped);
    EXPECT_FALSE(loop().needs_kafka());
    kafka_.tail.records.clear();
    database().stopped_for.reset();
    ASSERT_TRUE(until(ShardState::working));
}

TEST_F(ShardLoopTest, ReleasedItMarksWhatIsAtTheBrokerAndGivesTheShardBack) {
    be_at_work();
    database().ready.push_back(fakes::rows_of({1}));
    database().ready.push_back(fakes::rows_of({2}));
    step();
    loop().bell().request_release();
    ASSERT_TRUE(until(ShardState::ended));
    EXPECT_EQ(database().marks.back().batch, 2);
    EXPECT_EQ(database().ready.size(), 1U) << "nothing more is claimed";
    EXPECT_EQ(database().calls.back(), "release");
}

TEST_F(ShardLoopTest, PausedItSaysSoAndClaimsNothingUntilThePauseEnds) {
    be_at_work();
    pauses_.update({{0}, {}});
    ASSERT_TRUE(until(ShardState::resting));
    EXPECT_EQ(database().calls.size(), 0U);
    loop().bell().request_release(); // else it waits for the end of the pause
    step();
    EXPECT_THAT(database().calls, ElementsAre("quiet", "commit"));
    ASSERT_TRUE(until(ShardState::ended));
}

TEST_F(ShardLoopTest, RowsThatCannotBeChangedLeaveTheirBucketOutAndTheOthersGoOn) {
    be_at_work();
    session_.refused = {{1, {}, 3, 0, "a trigger says no"}};
    database().ready.push_back(fakes::rows_of({1}));
    database().before_commit = [&] {
        database().before_commit = [] {};
        throw postgres::DatabaseError("23514", "a check says no");
    };
    step();
    EXPECT_EQ(loop().state(), ShardState::working);
    EXPECT_THAT(database().left_out, ElementsAre(3));
    clock_.moment += std::chrono::seconds(3);
    step();
    EXPECT_TRUE(database().left_out.empty()) << "they are tried again";
}

TEST_F(ShardLoopTest, ARefusedControlTopicIsWaitedForAndThenSeenToTakeABatchWithoutEvents) {
    be_at_work();
    topics_.culprits = {"outbox.x.control"};
    ends_.push_back({kafka::Failure{29, kafka::Blame::topic, "not authorised"}, true, {}});
    database().ready.push_back(fakes::rows_of({1}));
    ASSERT_TRUE(until(ShardState::backing_off));
    database().marks.clear();
    ASSERT_TRUE(until(ShardState::working));
    steps(4);
    EXPECT_EQ(topics_.took_again, std::vector<std::string>{"outbox.x.control"});
    ASSERT_FALSE(database().marks.empty());
}

} // namespace
} // namespace outbox::relay
