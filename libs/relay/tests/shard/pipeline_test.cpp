#include "fakes.hpp"
#include "shard/pipeline.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox::relay {
namespace {

using delivery::IdentityVerdict;
using testing::ElementsAre;
using testing::IsEmpty;

class PipelineTest : public testing::Test {
protected:
    PipelineTest() {
        publisher_.start(1'000'000, Deadline::in(milliseconds(0)), [] { return true; });
    }
    /// @param number  of the batch in each of the shards
    void hold(std::int64_t number, const std::vector<std::int64_t>& seqs,
              const std::vector<int>& shards = {0}) {
        auto batch = std::make_unique<delivery::Batch>();
        batch->claimed = fakes::rows_of(seqs);
        for (const int shard : shards) {
            batch->manifests.push_back({.partition = shard, .number = number});
        }
        batch->records.resize(seqs.size() + shards.size());
        pipeline_.hold(std::move(batch));
    }
    void send(std::int64_t number, const std::vector<std::int64_t>& seqs,
              const std::vector<int>& shards = {0}) {
        hold(number, seqs, shards);
        pipeline_.submit();
        publisher_.work();
        pipeline_.publish(*pipeline_.collect());
    }

    fakes::Kafka kafka_;
    delivery::Signal bell_;
    delivery::Publisher publisher_{fakes::publisher(kafka_), bell_};
    fakes::Identities identities_;
    fakes::Time clock_;
    Pipeline pipeline_{publisher_, identities_, bell_, clock_};
};

TEST_F(PipelineTest, HoldsABatchUntilTheOneBeforeItHasEnded) {
    hold(1, {1});
    pipeline_.submit();
    hold(2, {2});
    pipeline_.submit();
    EXPECT_TRUE(pipeline_.in_hand().ready) << "one is at the broker";
    EXPECT_FALSE(pipeline_.collect()) << "and has not ended";
    publisher_.work();
    const auto end = pipeline_.collect();
    ASSERT_TRUE(end);
    EXPECT_EQ(end->batch->manifests.front().number, 1);
    pipeline_.submit();
    EXPECT_FALSE(pipeline_.in_hand().ready);
    EXPECT_TRUE(pipeline_.in_hand().publishing);
}

TEST_F(PipelineTest, NamesWhatIsInFlightWhereverItIs) {
    send(2, {1, 2});
    hold(3, {3});
    pipeline_.submit();
    hold(4, {4, 5});
    EXPECT_THAT(pipeline_.seqs(), ElementsAre(4, 5, 3, 1, 2));
    EXPECT_EQ(pipeline_.events(), 5U);
    pipeline_.clear();
    EXPECT_THAT(pipeline_.seqs(), IsEmpty());
    EXPECT_TRUE(pipeline_.in_hand().nothing());
}

TEST_F(PipelineTest, MarksABatchOnlyOnceItsTopicsAreKnownToBeTheSame) {
    identities_.verdict = {IdentityVerdict::Kind::open, "events"};
    send(2, {1});
    EXPECT_FALSE(pipeline_.prove().some);
    EXPECT_THAT(pipeline_.proven(), IsEmpty());
    EXPECT_FALSE(pipeline_.in_hand().proven);
    identities_.verdict = {};
    EXPECT_TRUE(pipeline_.prove().some);
    EXPECT_FALSE(pipeline_.prove().some) << "no more than before";
    ASSERT_EQ(pipeline_.proven().size(), 1U);
    EXPECT_EQ(pipeline_.proven().front().marks.front().upto.batch, 2);
    pipeline_.forget_proven();
    EXPECT_TRUE(pipeline_.in_hand().nothing());
}

TEST_F(PipelineTest, TellsATopicThatIsNotTheSame) {
    send(2, {1});
    identities_.verdict = {IdentityVerdict::Kind::changed, "events"};
    EXPECT_EQ(pipeline_.prove().changed, "events");
    EXPECT_THAT(pipeline_.proven(), IsEmpty());
}

TEST_F(PipelineTest, ClaimsNothingMoreWhileThreeBatchesCannotBeMarked) {
    identities_.verdict = {IdentityVerdict::Kind::open, "events"};
    send(2, {1});
    send(3, {2});
    EXPECT_FALSE(pipeline_.full());
    send(4, {3});
    EXPECT_TRUE(pipeline_.full());
}

TEST_F(PipelineTest, ABatchWithoutEventsIsMarkedBeforeAnythingIsClaimed) {
    identities_.verdict = {IdentityVerdict::Kind::open, "control"};
    hold(1, {});
    pipeline_.submit();
    EXPECT_TRUE(pipeline_.in_hand().alone);
    publisher_.work();
    pipeline_.publish(*pipeline_.collect());
    EXPECT_TRUE(pipeline_.in_hand().alone) << "it is not proven yet";
    identities_.verdict = {};
    pipeline_.prove();
    EXPECT_FALSE(pipeline_.in_hand().alone) << "the turn that marks it claims as well";
}

TEST_F(PipelineTest, HoldsAShardAsLongAsABatchThatNamesItIsNotMarked) {
    identities_.verdict = {IdentityVerdict::Kind::open, "events"};
    send(2, {1}, {0, 2});
    hold(3, {2}, {1});
    pipeline_.submit();
    hold(4, {3}, {3});
    for (const int shard : {0, 1, 2, 3}) {
        EXPECT_TRUE(pipeline_.holds(shard)) << shard;
    }
    EXPECT_FALSE(pipeline_.holds(4));
    EXPECT_EQ(pipeline_.unmarked(2), 1U);
    EXPECT_EQ(pipeline_.unmarked(1), 0U) << "Kafka does not have it yet";
    identities_.verdict = {};
    pipeline_.prove();
    EXPECT_EQ(pipeline_.unmarked(2), 0U) << "it may be marked";
    EXPECT_TRUE(pipeline_.holds(2)) << "it is not";
    pipeline_.forget_proven();
    EXPECT_FALSE(pipeline_.holds(0));
    EXPECT_FALSE(pipeline_.holds(2));
    EXPECT_TRUE(pipeline_.holds(1));
}

TEST_F(PipelineTest, MarksEachShardUpToItsOwnManifest) {
    send(2, {1, 2}, {0, 2});
    pipeline_.prove();
    const auto& marks = pipeline_.proven().front().marks;
    ASSERT_EQ(marks.size(), 2U);
    EXPECT_EQ(marks[0].shard, 0);
    EXPECT_EQ(marks[0].upto.offset, 2) << "behind the two events";
    EXPECT_EQ(marks[1].shard, 2);
    EXPECT_EQ(marks[1].upto.offset, 3);
}

TEST_F(PipelineTest, TheLanesTakeTurns) {
    kafka_.calls.clear();
    send(7, {1}, {0});
    send(1, {2}, {1});
    send(7, {3}, {2});
    EXPECT_THAT(kafka_.calls, ElementsAre("send 0-1", "send 0-0", "send 0-1"));
}

} // namespace
} // namespace outbox::relay
