#include "fakes.hpp"
#include "shard/fencing.hpp"

#include <outbox/kafka/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox::relay {
namespace {

using store::SentUnder;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

/// Slot 0 is this pipeline's, 1 and 2 are others'.
class FencingTest : public testing::Test {
protected:
    FencingTest() {
        session_.open();
        database().slot_epochs = {{0, 1}, {1, 5}, {2, 8}};
    }
    void begin() {
        fencing_.drop();
        ASSERT_TRUE(fencing_.begin().done());
        database().calls.clear();
        kafka_.calls.clear();
    }
    bool fence(const SentUnder& before) {
        return fencing_.fence(before, 7, {Deadline::in(milliseconds(0)), [] { return true; }});
    }
    bool fence_slot(int number, std::int64_t epoch) {
        return fence({SentUnder::Kind::slot, {number, epoch}});
    }
    /// Lanes are made under these ids, initialised and let go, between the two halves of the care for
    /// markers.
    static auto fences(const std::string& ids) {
        return ElementsAre("note " + ids, "init " + ids + "-0", "init " + ids + "-1",
                           StartsWith("let go " + ids), StartsWith("let go " + ids), "write " + ids);
    }
    fakes::Database& database() { return session_.fake; }

    const Uuid outbox_id_ = Uuid::random();
    fakes::Session session_;
    fakes::Kafka kafka_;
    fakes::Topics topics_;
    Observer observer_;
    delivery::Signal bell_;
    delivery::Publisher publisher_{fakes::publisher(kafka_), bell_};
    Fencing fencing_{{Uuid::random(), outbox_id_}, session_, kafka_, topics_, publisher_, observer_};
};

TEST_F(FencingTest, LeasesASlotAndRaisesItOnceItsLanesAreMadeUnderItsIds) {
    EXPECT_EQ(fencing_.slot(), nullptr);
    EXPECT_FALSE(fencing_.stands());
    ASSERT_TRUE(fencing_.begin().done());
    EXPECT_THAT(database().calls, ElementsAre("lease a slot after -1", "raise slot 0"));
    EXPECT_THAT(kafka_.calls, ElementsAre("note p0", "init p0-0", "init p0-1", "write p0"));
    ASSERT_NE(fencing_.slot(), nullptr);
    EXPECT_EQ(*fencing_.slot(), (store::Slot{0, 2}));
    EXPECT_TRUE(fencing_.stands());
    EXPECT_THAT(publisher_.lane_ids(), ElementsAre(testing::EndsWith("-p0-0"), testing::EndsWith("-p0-1")));
}

TEST_F(FencingTest, KeepsItsSlotAndTakesTheOneItIsGivenWhereThatIsGone) {
    begin();
    database().calls.when("lease a slot after 0", [&] { database().free_slot = 2; });
    begin();
    EXPECT_EQ(fencing_.slot()->number, 2);
    fencing_.drop();
    EXPECT_EQ(fencing_.slot(), nullptr);
    ASSERT_TRUE(fencing_.begin().done());
    EXPECT_THAT(database().calls, Contains("lease a slot after 2"));
    EXPECT_EQ(publisher_.lane_ids().front().substr(publisher_.lane_ids().front().size() - 4), "p2-0");
}

TEST_F(FencingTest, ASlotIsNotRaisedBeforeBothLanesAreInitialisedAndTheMarkersWritten) {
    for (const char* const call : {"note p0", "init p0-0", "init p0-1", "write p0"}) {
        kafka_.calls.fail(call, kafka::KafkaError(kafka::timed_out, "no answer"));
        EXPECT_THROW(static_cast<void>(fencing_.begin()), kafka::KafkaError) << call;
        EXPECT_EQ(fencing_.slot(), nullptr) << call;
    }
    EXPECT_EQ(database().slot_epochs[0], 1);
}

TEST_F(FencingTest, BeginsAnewWhenAnotherRelayRaisedTheSlotMeanwhile) {
    kafka_.calls.when("init p0-1", [&] { ++database().slot_epochs[0]; });
    EXPECT_EQ(fencing_.begin().kind, Step::Kind::again);
    EXPECT_EQ(fencing_.slot(), nullptr);
    EXPECT_TRUE(fencing_.begin().done());
    EXPECT_EQ(*fencing_.slot(), (store::Slot{0, 3}));
}

TEST_F(FencingTest, LeasesAnotherSlotWhereATransactionOfItsOwnDoesNotEndAndComesBackInTheEnd) {
    begin();
    const auto fail_with = [this](int number) {
        fencing_.drop();
        database().free_slot = number;
        kafka_.calls.fail("note " + delivery::slot_ids(number),
                          StuckTransaction(Action::retry, "it does not end"));
        EXPECT_THROW(fencing_.begin(), StuckTransaction);
        EXPECT_EQ(fencing_.slot(), nullptr);
    };
    fail_with(0);
    fail_with(1);
    fail_with(2);
    fail_with(3);
    fencing_.drop();
    database().free_slot = 0;
    ASSERT_TRUE(fencing_.begin().done());
    EXPECT_THAT(database().calls,
                ElementsAre("lease a slot after 0", "lease a slot after -1", "lease a slot after -1",
                            "lease a slot after -1", "lease a slot after 0", "raise slot 0"));
}

TEST_F(FencingTest, StandsNoMoreWhenAnotherRelayHasRaisedItsSlot) {
    begin();
    ++database().slot_epochs[0];
    EXPECT_FALSE(fencing_.stands());
    EXPECT_NE(fencing_.slot(), nullptr) << "the lanes are its own to drop";
}

TEST_F(FencingTest, ASlotThatWasRaisedSinceNeedsNoFencing) {
    begin();
    EXPECT_FALSE(fence_slot(1, 4));
    EXPECT_FALSE(fence({}));
    EXPECT_THAT(kafka_.calls, IsEmpty());
    EXPECT_THAT(database().calls, IsEmpty());
}

TEST_F(FencingTest, ASlotThatWasNotRaisedSinceIsFencedAndRaised) {
    for (const std::int64_t epoch : {5, 9}) { // 9: the database has lost some
        begin();
        database().slot_epochs[1] = 5;
        EXPECT_TRUE(fence_slot(1, epoch));
        EXPECT_THAT(kafka_.calls, fences("p1")) << epoch;
        EXPECT_THAT(database().calls, ElementsAre("raise slot 1")) << epoch;
        EXPECT_EQ(database().slot_epochs[1], 6) << epoch;
    }
    EXPECT_THAT(publisher_.lane_ids().front(), testing::HasSubstr("-p0-")) << "its own lanes stay";
}

TEST_F(FencingTest, ASlotWhoseFencingFailedIsNotRaised) {
    for (const char* const call : {"note p1", "init p1-1", "write p1"}) {
        begin();
        kafka_.calls.fail(call, kafka::KafkaError(kafka::timed_out, "no answer"));
        EXPECT_THROW(fence_slot(1, 5), kafka::KafkaError) << call;
        EXPECT_EQ(database().slot_epochs[1], 5) << call;
    }
}

TEST_F(FencingTest, ItsOwnSlotIsNeverFenced) {
    begin();
    EXPECT_FALSE(fence_slot(0, 2));
    EXPECT_FALSE(fence_slot(0, 1));
    EXPECT_FALSE(fence_slot(0, 9)) << "the database has lost some";
    EXPECT_THAT(kafka_.calls, IsEmpty());
    EXPECT_TRUE(fencing_.stands());
}

TEST_F(FencingTest, ProducersThatAShardHadForItselfAreFencedUnderItsNumber) {
    begin();
    EXPECT_TRUE(fence({SentUnder::Kind::shard, {}}));
    EXPECT_THAT(kafka_.calls, fences("7"));
    EXPECT_THAT(database().calls, IsEmpty());
}

TEST_F(FencingTest, WhereNobodyKnowsAllOthersAreFencedAndItsOwnAreNot) {
    begin();
    EXPECT_TRUE(fence({SentUnder::Kind::unknown, {}}));
    EXPECT_THAT(database().calls, ElementsAre("raise slot 1", "raise slot 2"));
    for (const char* const call :
         {"init p1-0", "init p1-1", "init p2-0", "init p2-1", "init 7-0", "init 7-1"}) {
        EXPECT_THAT(kafka_.calls, Contains(call));
    }
    EXPECT_THAT(kafka_.calls, Not(Contains(StartsWith("init p0"))));
    EXPECT_TRUE(fencing_.stands());
}

TEST_F(FencingTest, ATopicThatWaitsForAMarkerIsADebtUntilALaterBeginPaysIt) {
    begin();
    kafka_.unmarked["p1"] = {"events"};
    kafka_.unmarked["7"] = {"orders"};
    fence_slot(1, 5);
    fence({SentUnder::Kind::shard, {}});
    EXPECT_THAT(fencing_.unmarked_topics(), ElementsAre("events", "orders"));
    begin();
    EXPECT_THAT(fencing_.unmarked_topics(), ElementsAre("events", "orders")) << "it still has no leader";
    kafka_.unmarked.clear();
    fencing_.drop();
    ASSERT_TRUE(fencing_.begin().done());
    EXPECT_THAT(kafka_.calls, Contains("write p1"));
    EXPECT_THAT(kafka_.calls, Contains("write 7"));
    EXPECT_THAT(fencing_.unmarked_topics(), IsEmpty());
    begin();
    ASSERT_TRUE(fencing_.begin().done());
    EXPECT_THAT(kafka_.calls, Not(Contains("write p1"))) << "once";
}

TEST_F(FencingTest, ADebtOfItsOwnIsPaidByTheNextBegin) {
    kafka_.unmarked["p0"] = {"events"};
    begin();
    EXPECT_THAT(fencing_.unmarked_topics(), ElementsAre("events"));
    kafka_.unmarked.clear();
    begin();
    EXPECT_THAT(fencing_.unmarked_topics(), IsEmpty());
}

TEST_F(FencingTest, ADebtIsPaidOnlyBehindAFenceAsTheSlotMayHaveBeenLeasedMeanwhile) {
    begin();
    kafka_.unmarked["p1"] = {"events"};
    fence_slot(1, 5);
    fencing_.drop();
    kafka_.calls.clear();
    ASSERT_TRUE(fencing_.begin().done());
    kafka_.calls.erase(kafka_.calls.begin(), std::find(kafka_.calls.begin(), kafka_.calls.end(), "note p1"));
    EXPECT_THAT(kafka_.calls, fences("p1"));
    EXPECT_EQ(database().slot_epochs[1], 7) << "who leased it hears of it";
    EXPECT_THAT(fencing_.unmarked_topics(), ElementsAre("events"));
}

TEST_F(FencingTest, ADebtOfASlotThatAnotherRelayHasRaisedSinceIsThatRelays) {
    begin();
    kafka_.unmarked["p1"] = {"events"};
    fence_slot(1, 5);
    ++database().slot_epochs[1];
    fencing_.drop();
    kafka_.calls.clear();
    ASSERT_TRUE(fencing_.begin().done());
    EXPECT_THAT(kafka_.calls, Not(Contains("note p1"))) << "it may have a transaction under way";
    EXPECT_THAT(fencing_.unmarked_topics(), IsEmpty());
}

TEST_F(FencingTest, ADebtOfTheSlotThatItHadIsPaidWhileNobodyElseHasRaisedThat) {
    kafka_.unmarked["p0"] = {"events"};
    begin();
    database().free_slot = 2;
    begin();
    EXPECT_THAT(fencing_.unmarked_topics(), ElementsAre("events"));
    EXPECT_EQ(database().slot_epochs[0], 3) << "behind a fence";
    ++database().slot_epochs[0];
    begin();
    EXPECT_THAT(fencing_.unmarked_topics(), IsEmpty()) << "it is that relay's";
}

TEST_F(FencingTest, ADebtOfASlotThatAnotherRelayRaisedDuringTheFencingIsThatRelays) {
    begin();
    kafka_.unmarked["p1"] = {"events"};
    kafka_.calls.when("write p1", [&] { ++database().slot_epochs[1]; });
    fence_slot(1, 5);
    EXPECT_THAT(fencing_.unmarked_topics(), IsEmpty());
}

} // namespace
} // namespace outbox::relay
