#include "loop_fixture.hpp"

#include <outbox/kafka/error.hpp>

#include <gmock/gmock.h>

namespace outbox::relay {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

/// It serves one shard.
class PipelineLoopTest : public LoopTest {
protected:
    PipelineLoopTest() : LoopTest({0}) {}

    using LoopTest::until;
    testing::AssertionResult until(ShardState state) { return until(0, state); }

    [[nodiscard]] std::optional<Hindrance::Told> hindrance() {
        const auto views = loop().views();
        return views.empty() ? std::nullopt : views.front().hindrance;
    }
};

TEST_F(PipelineLoopTest, TakesItsShardAndMarksTheFirstManifestBeforeItClaims) {
    database().ready.push_back(fakes::rows_of({1}));
    ASSERT_TRUE(until(ShardState::working));
    const auto recovery =
        testing::ElementsAre("lease a slot after -1", "raise slot 0", "acquire 0", "settle 0");
    EXPECT_THAT(database().calls, recovery);
    while (database().marks.empty()) {
        EXPECT_THAT(database().calls, recovery);
        step();
    }
    EXPECT_EQ(database().marked(0), 1);
    ASSERT_TRUE(until([&] { return database().marked(0) == 2; }));
    database().calls.erase(database().calls.begin(), database().calls.begin() + 4);
    EXPECT_THAT(database().calls,
                ElementsAre("commit", "claim", "commit", "note topic events", "claim", "commit"));
}

TEST_F(PipelineLoopTest, InitialisesItsLanesBeforeItReadsTheManifests) {
    ASSERT_TRUE(until(ShardState::working));
    EXPECT_THAT(std::vector<std::string>(kafka_.calls.begin(), kafka_.calls.begin() + 5),
                ElementsAre("note p0", "init p0-0", "init p0-1", "write p0", "read 0"));
}

TEST_F(PipelineLoopTest, AnothersShardIsLeftToItWithoutAFailure) {
    database().foreign = {0};
    ASSERT_TRUE(until(ShardState::ended));
    EXPECT_FALSE(hindrance());
    const int waits = clock_.waits;
    step();
    EXPECT_EQ(loop().state(0), std::nullopt);
    EXPECT_THAT(loop().take_gone(), ElementsAre(0));
    EXPECT_THAT(loop().take_gone(), IsEmpty());
    EXPECT_EQ(told_gone_, 1);
    step();
    EXPECT_GT(clock_.waits, waits) << "for another shard";
    loop().bell().request_end();
    EXPECT_FALSE(loop().step());
    EXPECT_TRUE(loop().ended());
    EXPECT_FALSE(session_.opened);
}

TEST_F(PipelineLoopTest, IsLostWhenTheShardIsSeenToBeAnothers) {
    be_at_work();
    loop().bell().doubt(0);
    step();
    EXPECT_EQ(loop().state(0), ShardState::working) << "it is not";
    database().foreign = {0};
    loop().bell().doubt(0);
    step();
    EXPECT_EQ(loop().state(0), ShardState::ended);
}

TEST_F(PipelineLoopTest, ATurnThatFindsAnotherOwnerEndsIt) {
    be_at_work();
    database().ready.push_back(fakes::rows_of({1}));
    database().calls.fail("commit", store::NotOwner("not owned under epoch 1 any more"));
    database().foreign = {0};
    ASSERT_TRUE(until(ShardState::ended));
    EXPECT_FALSE(hindrance());
}

TEST_F(PipelineLoopTest, AfterADoubtfulCommitItWaitsAndRecovers) {
    be_at_work();
    kafka_.ends.push_back({std::nullopt, true, {}});
    database().ready.push_back(fakes::rows_of({1}));
    ASSERT_TRUE(until(ShardState::unowned));
    EXPECT_EQ(loop().in_flight(), 1U);
    const int waits = clock_.waits;
    step();
    EXPECT_GT(clock_.waits, waits);
    EXPECT_EQ(loop().state(0), ShardState::unowned);
    ASSERT_TRUE(until(ShardState::working));
    EXPECT_THAT(database().calls, Contains("acquire 0"));
    EXPECT_THAT(database().calls, Contains("raise slot 0")) << "with new lanes";
}

TEST_F(PipelineLoopTest, ATopicThatCanBeAskedAgainLeadsToARecoveryAtOnceAndIsNoFailure) {
    kafka_.unmarked["p0"] = {"events"};
    kafka_.leaderless = {"events"};
    be_at_work();
    clock_.moment += std::chrono::seconds(10);
    steps(2);
    EXPECT_EQ(loop().state(0), ShardState::working);
    kafka_.leaderless = {};
    kafka_.unmarked = {};
    clock_.moment += std::chrono::seconds(10);
    const int waits = clock_.waits;
    step();
    EXPECT_EQ(loop().state(0), ShardState::unowned);
    EXPECT_EQ(clock_.waits, waits);
    clock_.moment += std::chrono::seconds(10);
    EXPECT_FALSE(hindrance());
    ASSERT_TRUE(until(ShardState::working));
}

TEST_F(PipelineLoopTest, AContradictionStopsItUntilAnOperatorTakesItsReasonAway) {
    kafka_.tails[0].records.push_back({0, "no manifest"});
    ASSERT_TRUE(until(ShardState::stopped));
    ASSERT_TRUE(database().stopped_for.contains(0));
    steps(2);
    EXPECT_THAT(database().stopped_for[0], testing::HasSubstr("cannot be read"));
    EXPECT_EQ(loop().state(0), ShardState::stopped);
    EXPECT_FALSE(loop().views().front().needs_kafka);
    kafka_.tails.clear();
    database().stopped_for.clear();
    ASSERT_TRUE(until(ShardState::working));
    EXPECT_TRUE(loop().views().front().needs_kafka);
}

TEST_F(PipelineLoopTest, ReleasedItMarksWhatIsAtTheBrokerAndGivesTheShardBack) {
    be_at_work();
    database().ready.push_back(fakes::rows_of({1}));
    database().ready.push_back(fakes::rows_of({2}));
    step();
    loop().bell().request_release(0);
    ASSERT_TRUE(until(ShardState::ended));
    EXPECT_EQ(database().marked(0), 2);
    EXPECT_EQ(database().ready.size(), 1U) << "nothing more is claimed";
    EXPECT_EQ(database().calls.back(), "release 0");
}

TEST_F(PipelineLoopTest, PausedItSaysSoAndClaimsNothingUntilThePauseEnds) {
    be_at_work();
    pauses_.update({{0}, {}});
    database().ready.push_back(fakes::rows_of({1}));
    ASSERT_TRUE(until(ShardState::resting));
    EXPECT_THAT(database().calls, ElementsAre("quiet 0", "commit"));
    steps(3);
    EXPECT_THAT(database().calls, ElementsAre("quiet 0", "commit")) << "once, and nothing else";
    pauses_.update({});
    ASSERT_TRUE(until([&] { return database().marked(0) == 2; }));
    EXPECT_THAT(database().calls, Contains("not quiet 0"));
    EXPECT_EQ(loop().state(0), ShardState::working);
}

TEST_F(PipelineLoopTest, ReleasedWhileItIsPausedItGivesTheShardBack) {
    be_at_work();
    pauses_.update({{0}, {}});
    ASSERT_TRUE(until(ShardState::resting));
    loop().bell().request_release(0);
    ASSERT_TRUE(until(ShardState::ended));
    EXPECT_THAT(database().calls, ElementsAre("quiet 0", "commit", "release 0"));
}

TEST_F(PipelineLoopTest, RowsThatCannotBeChangedLeaveTheirBucketOutAndTheOthersGoOn) {
    be_at_work();
    session_.refused = {{1, {}, 3, 0, "a trigger says no"}};
    database().ready.push_back(fakes::rows_of({1}));
    database().calls.fail("commit", postgres::DatabaseError("23514", "a check says no"));
    step();
    EXPECT_EQ(loop().state(0), ShardState::working);
    EXPECT_THAT(database().left_out, ElementsAre(3));
    clock_.moment += std::chrono::seconds(3);
    step();
    EXPECT_TRUE(database().left_out.empty()) << "they are tried again";
}

TEST_F(PipelineLoopTest, ARefusedControlTopicIsWaitedForAndThenSeenToTakeABatchWithoutEvents) {
    be_at_work();
    topics_.culprits = {"outbox.x.control"};
    kafka_.ends.push_back({kafka::Failure{29, kafka::Blame::topic, "not authorised"}, true, {}});
    database().ready.push_back(fakes::rows_of({1}));
    ASSERT_TRUE(until(ShardState::unowned));
    topics_.out = {"outbox.x.control"};
    database().calls.clear();
    steps(20);
    EXPECT_THAT(database().calls, IsEmpty()) << "a recovery leads nowhere";
    topics_.out = {};
    database().marks.clear();
    ASSERT_TRUE(until(ShardState::working));
    steps(4);
    EXPECT_EQ(topics_.took_again, std::vector<std::string>{"outbox.x.control"});
    ASSERT_FALSE(database().marks.empty());
}

} // namespace
} // namespace outbox::relay
