#include "loop_fixture.hpp"

#include <outbox/kafka/error.hpp>

#include <gmock/gmock.h>

#include <algorithm>

namespace outbox::relay {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::StartsWith;

constexpr auto control = "outbox.x.control";

/// It serves three shards.
class PipelineShardsTest : public LoopTest {
protected:
    PipelineShardsTest() : LoopTest({0, 1, 2}) {}

    /// What one claim finds: an event of each of these shards.
    void add_events(const std::vector<int>& shards) {
        store::RowSet rows;
        for (const int shard : shards) {
            rows.rows.push_back(fakes::rows_of({++seq_}, static_cast<std::int16_t>(shard)).rows.front());
        }
        database().ready.push_back(std::move(rows));
    }
    testing::AssertionResult until_all(ShardState state) {
        return until([this, state] { return all(state); });
    }
    [[nodiscard]] bool all(ShardState state) {
        return std::all_of(shards_.begin(), shards_.end(),
                           [&](int shard) { return loop().state(shard) == state; });
    }
    [[nodiscard]] static auto count(const fakes::Calls& calls, const std::string& call) {
        return std::count(calls.begin(), calls.end(), call);
    }
    /// Of the others than shard 1: they send events while it does not get on, and are not recovered anew.
    void expect_others_at_work() {
        const auto before = database().marked(0);
        add_events({0, 1, 2});
        EXPECT_TRUE(until_marked(0, before + 1));
        EXPECT_EQ(database().marked(2), before + 1);
        EXPECT_EQ(database().marked(1), 0);
        EXPECT_EQ(count(database().calls, "acquire 0"), 1);
        EXPECT_EQ(count(database().calls, "acquire 2"), 1);
        EXPECT_EQ(count(kafka_.calls, "init p0-0"), 1);
    }
    /// The batch after its first manifest holds what waited for it.
    void expect_shard_1_joins() {
        EXPECT_TRUE(until_marked(1, 2));
        EXPECT_TRUE(all(ShardState::working));
        EXPECT_EQ(count(database().calls, "acquire 0"), 1) << "the others went on";
        EXPECT_EQ(count(kafka_.calls, "init p0-0"), 1);
        EXPECT_THAT(database().ready, IsEmpty());
    }

    std::int64_t seq_ = 0;
};

TEST_F(PipelineShardsTest, TheFirstManifestsOfAllGoInOneTransaction) {
    for (const int shard : shards_) {
        ASSERT_TRUE(until_marked(shard, 1));
    }
    EXPECT_THAT(kafka_.sent, ElementsAre(ElementsAre(Pair(control, 0), Pair(control, 1), Pair(control, 2))));
    EXPECT_EQ(database().marks.size(), 1U);
}

TEST_F(PipelineShardsTest, OneTurnClaimsForAllAndOneTransactionHasAManifestOfEachShardThatHasEvents) {
    be_at_work();
    database().marks.clear();
    add_events({0, 2});
    ASSERT_TRUE(until_marked(0, 2));
    EXPECT_THAT(database().served, ElementsAre(0, 1, 2));
    EXPECT_THAT(kafka_.sent, ElementsAre(ElementsAre(Pair("events", 0), Pair("events", 0), Pair(control, 0),
                                                     Pair(control, 2))));
    ASSERT_EQ(database().marks.size(), 1U) << "in one turn";
    const auto& marks = database().marks.front();
    ASSERT_EQ(marks.size(), 2U);
    EXPECT_EQ(marks[0].shard, 0);
    EXPECT_EQ(marks[0].upto.batch, 2);
    EXPECT_EQ(marks[0].upto.offset, 2) << "behind the two events";
    EXPECT_EQ(marks[1].shard, 2);
    EXPECT_EQ(marks[1].upto.batch, 2);
    EXPECT_EQ(marks[1].upto.offset, 3);
    add_events({1, 2});
    ASSERT_TRUE(until_marked(2, 3));
    EXPECT_EQ(database().marked(1), 2) << "each partition counts its own";
}

TEST_F(PipelineShardsTest, OneThatCannotBeTakenDoesNotKeepTheOthersFromWorking) {
    database().calls.fail("acquire 1", postgres::DatabaseError("55P03", "a lock is held"));
    ASSERT_TRUE(until(0, ShardState::working));
    EXPECT_EQ(loop().state(1), ShardState::backing_off);
    expect_others_at_work();
    expect_shard_1_joins();
}

TEST_F(PipelineShardsTest, OneThatCannotBeFencedDoesNotKeepTheOthersFromWorking) {
    database().slot_epochs[1] = 5;
    database().before[1] = {store::SentUnder::Kind::slot, {1, 5}};
    kafka_.calls.fail("init p1-0", kafka::KafkaError(kafka::timed_out, "no answer"));
    ASSERT_TRUE(until(0, ShardState::working));
    EXPECT_EQ(loop().state(1), ShardState::backing_off);
    expect_others_at_work();
    expect_shard_1_joins();
    EXPECT_EQ(database().slot_epochs[1], 6);
}

TEST_F(PipelineShardsTest, OneThatCannotBeReadDoesNotKeepTheOthersFromWorking) {
    kafka_.calls.fail("read 1", kafka::KafkaError(kafka::timed_out, "no answer"));
    ASSERT_TRUE(until(0, ShardState::working));
    EXPECT_EQ(loop().state(1), ShardState::backing_off);
    const auto views = loop().views();
    clock_.moment += std::chrono::milliseconds(1);
    EXPECT_TRUE(views[1].needs_kafka);
    expect_others_at_work();
    expect_shard_1_joins();
}

TEST_F(PipelineShardsTest, OneThatCannotBeSettledDoesNotKeepTheOthersFromWorking) {
    database().calls.fail("settle 1", postgres::DatabaseError("55P03", "a lock is held"));
    ASSERT_TRUE(until(0, ShardState::working));
    EXPECT_EQ(loop().state(1), ShardState::backing_off);
    expect_others_at_work();
    expect_shard_1_joins();
}

TEST_F(PipelineShardsTest, OneThatAnotherRelayTookWhileItWasSettledIsLeftAlone) {
    database().calls.fail("settle 1", store::NotOwner("not owned under epoch 1 any more"));
    ASSERT_TRUE(until(0, ShardState::working));
    EXPECT_EQ(loop().state(1), ShardState::ended);
    expect_others_at_work();
    EXPECT_THAT(loop().take_gone(), ElementsAre(1));
}

TEST_F(PipelineShardsTest, AStoppedOneIsResumedAloneWhileTheOthersGoOn) {
    database().calls.fail("settle 1", Contradiction("other events have their numbers"));
    ASSERT_TRUE(until(0, ShardState::working));
    EXPECT_EQ(loop().state(1), ShardState::stopped);
    EXPECT_EQ(database().stopped_for[1], "other events have their numbers");
    expect_others_at_work();
    clock_.moment += std::chrono::seconds(3);
    steps(3);
    EXPECT_EQ(loop().state(1), ShardState::stopped);
    EXPECT_FALSE(loop().views()[1].needs_kafka);
    EXPECT_TRUE(loop().views()[0].needs_kafka);
    database().stopped_for.clear();
    clock_.moment += std::chrono::seconds(3);
    expect_shard_1_joins();
}

TEST_F(PipelineShardsTest, ASessionThatBreaksWhileOneIsRecoveredConcernsAll) {
    database().calls.when("acquire 1", [this] {
        session_.broken = true;
        throw postgres::DatabaseError("", "the server is gone");
    });
    steps(2);
    EXPECT_TRUE(all(ShardState::unowned) || loop().state(1) == ShardState::unowned);
    EXPECT_NE(loop().state(0), ShardState::working);
    ASSERT_TRUE(until_all(ShardState::working));
    EXPECT_FALSE(session_.broken);
    EXPECT_EQ(count(kafka_.calls, "init p0-0"), 2) << "the lanes are made anew";
}

TEST_F(PipelineShardsTest, WhatStopsTheLanesStopsEachShardAndEachIsResumedForItself) {
    kafka_.calls.fail("write p0", Contradiction("a transaction that nobody ends"));
    ASSERT_TRUE(until_all(ShardState::stopped));
    for (const int shard : shards_) {
        EXPECT_EQ(database().stopped_for[shard], "a transaction that nobody ends");
    }
    database().stopped_for.erase(0);
    ASSERT_TRUE(until(0, ShardState::working));
    EXPECT_EQ(loop().state(1), ShardState::stopped);
    EXPECT_EQ(loop().state(2), ShardState::stopped);
    add_events({0, 1});
    ASSERT_TRUE(until_marked(0, 2));
    EXPECT_EQ(database().marked(1), 0);
}

TEST_F(PipelineShardsTest, OneThatIsToBeServedLaterJoinsTheOthersAtWork) {
    be_at_work();
    loop().bell().take(3);
    add_events({0, 3});
    ASSERT_TRUE(until_marked(3, 2));
    EXPECT_EQ(database().marked(0), 2);
    EXPECT_THAT(database().calls, Contains("acquire 3"));
    EXPECT_THAT(database().calls, Not(Contains("acquire 0")));
    EXPECT_THAT(database().served, ElementsAre(0, 1, 2, 3));
    EXPECT_THAT(kafka_.calls, Not(Contains(StartsWith("init"))));
}

TEST_F(PipelineShardsTest, AReleasedOneIsGivenBackOnceNothingOfItIsInHandAndTheOthersGoOn) {
    be_at_work();
    add_events({0, 1});
    loop().step(); // it is at the broker
    ASSERT_EQ(loop().in_flight(), 2U);
    loop().bell().request_release(1);
    add_events({0, 1});
    std::int64_t marked_then = 0;
    database().calls.when("release 1", [&] { marked_then = database().marked(1); });
    loop().step();
    EXPECT_EQ(loop().state(1), ShardState::working);
    EXPECT_THAT(database().served, ElementsAre(0, 2));
    ASSERT_TRUE(until(1, ShardState::ended));
    EXPECT_EQ(marked_then, 2);
    ASSERT_TRUE(until_marked(0, 3));
    EXPECT_EQ(database().marked(1), 2) << "nothing more of it is claimed";
    EXPECT_EQ(database().ready.size(), 1U);
    EXPECT_THAT(loop().take_gone(), ElementsAre(1));
    EXPECT_EQ(told_gone_, 1);
    EXPECT_EQ(loop().state(1), std::nullopt);
    EXPECT_THAT(database().calls, Not(Contains(StartsWith("acquire"))));
}

TEST_F(PipelineShardsTest, OneThatIsWantedAgainWhileItIsReleasedIsServedOn) {
    be_at_work();
    add_events({1});
    loop().step();
    loop().bell().request_release(1);
    loop().step();
    loop().bell().take(1);
    add_events({1});
    ASSERT_TRUE(until_marked(1, 3));
    EXPECT_EQ(loop().state(1), ShardState::working);
    EXPECT_THAT(database().calls, Not(Contains("release 1")));
}

TEST_F(PipelineShardsTest, OneThatIsHandedOverStaysTheRelaysOnceNothingOfItIsInHand) {
    be_at_work();
    add_events({0, 1});
    loop().step();
    loop().bell().request_hand_over(1);
    std::int64_t marked_then = 0;
    database().calls.when("hand over 1", [&] { marked_then = database().marked(1); });
    ASSERT_TRUE(until(1, ShardState::ended));
    EXPECT_EQ(marked_then, 2);
    EXPECT_THAT(database().calls, Not(Contains("release 1")));
    EXPECT_THAT(database().calls, Not(Contains("disown 1")));
    add_events({0});
    EXPECT_TRUE(until_marked(0, 3));
    EXPECT_THAT(loop().take_gone(), ElementsAre(1));
}

TEST_F(PipelineShardsTest, OneThatIsHandedOverIsGivenBackWhereItIsToBeReleasedOrTheRelayEnds) {
    be_at_work();
    loop().bell().request_hand_over(1);
    loop().bell().request_release(1);
    loop().bell().request_hand_over(2);
    loop().bell().request_end();
    while (loop().step()) {
    }
    EXPECT_THAT(database().calls, AllOf(Contains("release 1"), Contains("release 2")));
    EXPECT_THAT(database().calls, Not(Contains(StartsWith("hand over"))));
}

TEST_F(PipelineShardsTest, OneThatStandsStillIsNotHandedOverAndLeftToOthersWhereItIsReleased) {
    database().calls.fail("settle 1", Contradiction("other events have their numbers"));
    ASSERT_TRUE(until(1, ShardState::stopped));
    loop().bell().request_hand_over(1);
    loop().step();
    EXPECT_EQ(loop().state(1), ShardState::stopped);
    loop().bell().request_release(1);
    ASSERT_TRUE(until([this] { return !loop().state(1); }));
    EXPECT_THAT(database().calls, Contains("disown 1"));
    EXPECT_THAT(database().calls, Not(Contains("release 1"))) << "its taker has to fence what is under way";
}

TEST_F(PipelineShardsTest, APausedOneRestsWhileTheOthersGoOn) {
    be_at_work();
    pauses_.update({{1}, {}});
    add_events({0, 1, 2});
    ASSERT_TRUE(until_marked(0, 2));
    EXPECT_EQ(loop().state(1), ShardState::resting);
    EXPECT_EQ(loop().state(0), ShardState::working);
    EXPECT_EQ(database().marked(1), 1);
    EXPECT_THAT(database().served, ElementsAre(0, 2));
    EXPECT_EQ(count(database().calls, "quiet 1"), 1);
    steps(3);
    pauses_.update({});
    ASSERT_TRUE(until_marked(1, 2));
    EXPECT_EQ(count(database().calls, "quiet 1"), 1);
    EXPECT_EQ(count(database().calls, "not quiet 1"), 1);
}

TEST_F(PipelineShardsTest, ALostOneOfWhichNothingIsInHandLeavesTheOthersAtWork) {
    be_at_work();
    add_events({0});
    loop().step(); // of another one it is
    database().foreign = {1};
    loop().bell().doubt(1);
    loop().bell().doubt(2);
    step();
    EXPECT_EQ(loop().state(1), ShardState::ended);
    EXPECT_EQ(loop().state(2), ShardState::working) << "the doubt was wrong";
    ASSERT_TRUE(until_marked(0, 2));
    EXPECT_THAT(loop().take_gone(), ElementsAre(1));
    EXPECT_THAT(database().served, ElementsAre(0, 2));
    EXPECT_THAT(database().calls, Not(Contains(StartsWith("acquire"))));
}

TEST_F(PipelineShardsTest, ALostOneOfWhichSomethingIsInHandMakesAllRecoverAtOnce) {
    be_at_work();
    add_events({0, 1});
    loop().step(); // it is at the broker
    database().foreign = {1};
    loop().bell().doubt(1);
    const int waits = clock_.waits;
    loop().step();
    EXPECT_TRUE(all(ShardState::unowned));
    steps(2);
    EXPECT_EQ(clock_.waits, waits) << "nothing failed";
    EXPECT_THAT(loop().state(1), testing::AnyOf(std::nullopt, std::optional(ShardState::ended)));
    EXPECT_EQ(loop().state(0), ShardState::working);
    EXPECT_EQ(loop().state(2), ShardState::working);
    EXPECT_THAT(kafka_.calls, Contains("init p0-0"));
    EXPECT_EQ(database().marked(0), 1) << "its manifest tells what was sent";
}

TEST_F(PipelineShardsTest, ADoubtfulCommitMakesAllRecover) {
    be_at_work();
    kafka_.ends.push_back({std::nullopt, true, {}});
    add_events({0});
    ASSERT_TRUE(until_all(ShardState::unowned));
    const int waits = clock_.waits;
    ASSERT_TRUE(until_all(ShardState::working));
    EXPECT_GT(clock_.waits, waits);
    for (const char* const call :
         {"lease a slot after 0", "raise slot 0", "acquire 0", "acquire 1", "acquire 2"}) {
        EXPECT_EQ(count(database().calls, call), 1) << call;
    }
}

TEST_F(PipelineShardsTest, FencedByTheNewOwnerOfAShardItLosesThatOneAndTheOthersRecoverAtOnce) {
    be_at_work();
    kafka_.ends.push_back({kafka::Failure{90, kafka::Blame::fenced, "fenced"}, true, {}});
    database().foreign = {1};
    add_events({0});
    ASSERT_TRUE(until_all(ShardState::unowned));
    EXPECT_FALSE(loop().views()[0].hindrance);
    const int waits = clock_.waits;
    steps(2);
    EXPECT_EQ(clock_.waits, waits);
    EXPECT_EQ(loop().state(0), ShardState::working);
    EXPECT_NE(loop().state(1), ShardState::working);
    EXPECT_EQ(loop().state(2), ShardState::working);
}

TEST_F(PipelineShardsTest, FencedByARelayThatTookAShardWhichItHadItRecoversAtOnceHoweverOften) {
    be_at_work();
    for (int i = 0; i < 5; ++i) {
        kafka_.ends.push_back({kafka::Failure{90, kafka::Blame::fenced, "fenced"}, true, {}});
        ++database().slot_epochs[0];
        add_events({0});
        ASSERT_TRUE(until_all(ShardState::unowned)) << i;
        const int waits = clock_.waits;
        steps(2);
        EXPECT_EQ(clock_.waits, waits) << i;
        ASSERT_TRUE(all(ShardState::working)) << i;
        ASSERT_TRUE(until([&] { return database().ready.empty(); })) << i;
    }
    EXPECT_THAT(database().stopped_for, IsEmpty());
}

TEST_F(PipelineShardsTest, FencedTooOftenWhileStillTheOwnerEachShardStops) {
    for (int i = 0; i < 3; ++i) {
        kafka_.ends.push_back({kafka::Failure{90, kafka::Blame::fenced, "fenced"}, true, {}});
    }
    be_at_work();
    EXPECT_THAT(database().stopped_for, IsEmpty()) << "three times a minute are bad luck";
    kafka_.ends.push_back({kafka::Failure{90, kafka::Blame::fenced, "fenced"}, true, {}});
    add_events({0});
    ASSERT_TRUE(until_all(ShardState::stopped));
    for (const int shard : shards_) {
        EXPECT_THAT(database().stopped_for[shard], HasSubstr("a second deployment"));
    }
}

TEST_F(PipelineShardsTest, TheEndGivesEveryShardAndTheSlotBack) {
    be_at_work();
    add_events({0, 1});
    loop().step();
    loop().bell().request_end();
    add_events({2});
    ASSERT_TRUE(until([this] { return loop().ended(); }));
    EXPECT_EQ(database().marked(1), 2) << "what was under way was finished";
    EXPECT_EQ(database().marked(2), 1) << "nothing more was claimed";
    for (const char* const call : {"release 0", "release 1", "release 2", "give back slot 0"}) {
        EXPECT_EQ(count(database().calls, call), 1) << call;
    }
    EXPECT_EQ(database().calls.back(), "give back slot 0");
    EXPECT_EQ(count(kafka_.calls, "let go p0-0"), 1);
    EXPECT_FALSE(session_.opened);
    EXPECT_THAT(loop().take_gone(), testing::UnorderedElementsAre(0, 1, 2));
}

TEST_F(PipelineShardsTest, TheEndIsReachedThoughTheSlotCannotBeGivenBack) {
    be_at_work();
    database().calls.fail("give back slot 0", postgres::DatabaseError("", "the server is gone"));
    loop().bell().request_end();
    ASSERT_TRUE(until([this] { return loop().ended(); }));
    EXPECT_FALSE(session_.opened);
}

} // namespace
} // namespace outbox::relay
