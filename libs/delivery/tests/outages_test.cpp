#include <outbox/delivery/outages.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox::delivery {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Outages::Time start{};
const OutageCause denied{29, "denied", false};
const OutageCause by_try{29, "refused", true};

TEST(Outages, AnAnswerDoesNotBeginAnewWhatWasEndedMeanwhile) {
    const auto now = SteadyClock::now();
    Outages outages({});
    outages.note("a", denied, now);
    EXPECT_TRUE(outages.note_again("a", denied, now + std::chrono::seconds(11)));
    outages.end("a", now);
    EXPECT_FALSE(outages.note_again("a", denied, now));
    EXPECT_THAT(outages.all(now), IsEmpty());
}

TEST(Outages, ATopicIsAskedAboutSoonerAtFirstAndThenOnceASecond) {
    Outages outages({});
    auto now = start;
    outages.note("a", denied, now);
    EXPECT_THAT(outages.take_due(now, 10), IsEmpty());
    std::vector<milliseconds> pauses;
    for (int i = 0; i < 8; ++i) {
        const auto due = outages.next_due().value();
        pauses.push_back(std::chrono::duration_cast<milliseconds>(due - now));
        now = due;
        ASSERT_THAT(outages.take_due(now, 10), ElementsAre("a"));
        EXPECT_THAT(outages.take_due(now, 10), IsEmpty()) << "somebody asks already";
        outages.note("a", denied, now);
    }
    EXPECT_THAT(pauses, ElementsAre(100ms, 200ms, 400ms, 800ms, 1s, 1s, 1s, 1s));
}

TEST(Outages, IsSaidWhenItBeginsWhenItsCauseChangesAndThenEverMoreSeldom) {
    Outages outages({});
    EXPECT_TRUE(outages.note("a", denied, start));
    EXPECT_FALSE(outages.note("a", denied, start + 9s));
    EXPECT_TRUE(outages.note("a", denied, start + 10s));
    EXPECT_FALSE(outages.note("a", denied, start + 29s));
    EXPECT_TRUE(outages.note("a", denied, start + 30s));
    EXPECT_TRUE(outages.note("a", {3, "missing", false}, start + 31s));
    const auto outage = outages.find("a", start + 32s);
    ASSERT_TRUE(outage);
    EXPECT_EQ(outage->since, start) << "it is one outage";
    EXPECT_EQ(outage->cause.reason, "missing");
}

TEST(Outages, AreForgottenWithTheirEndAndBeginAnew) {
    Outages outages({});
    outages.note("a", denied, start);
    EXPECT_EQ(outages.end("a", start + 5s), 5s);
    EXPECT_EQ(outages.end("a", start + 6s), std::nullopt);
    EXPECT_TRUE(outages.empty());
    EXPECT_TRUE(outages.note("a", denied, start + 7s));
    EXPECT_EQ(outages.next_due(), start + 7s + 100ms);
}

TEST(Outages, TopicsThatCouldNotBeAskedAboutAreDueASecondLater) {
    Outages outages({});
    outages.note("a", denied, start);
    const auto due = outages.take_due(start + 1s, 10);
    outages.ask_later(due, start + 6s);
    EXPECT_EQ(outages.next_due(), start + 7s);
    outages.ask_now(start + 6s);
    EXPECT_THAT(outages.take_due(start + 6s, 10), ElementsAre("a"));
}

TEST(Outages, WhatOnlyARealEventCanTellIsTriedByOneShardThatHasOne) {
    Outages outages({});
    outages.note("a", by_try, start);
    outages.note_row_topic("a", "a", 2);
    outages.note_row_topic("a", "a", 3);
    EXPECT_EQ(outages.next_due(), std::nullopt) << "asking brokers is of no use";
    EXPECT_THAT(outages.take_due(start + 1s, 10), IsEmpty());
    EXPECT_FALSE(outages.may_try("a", 2, start + 99ms));
    EXPECT_FALSE(outages.may_try("a", 1, start + 100ms)) << "it has no event for it";
    EXPECT_TRUE(outages.may_try("a", 2, start + 100ms));
    EXPECT_FALSE(outages.may_try("a", 3, start + 100ms)) << "another one tries";
    EXPECT_TRUE(outages.may_try("a", 2, start + 5s));
    outages.note("a", by_try, start + 5s);
    EXPECT_FALSE(outages.may_try("a", 2, start + 5s));
    EXPECT_TRUE(outages.may_try("a", 3, start + 6s));
}

TEST(Outages, AShardThatHasNoEventLeavesTheTrialToOthers) {
    Outages outages({});
    outages.note("a", by_try, start);
    outages.note_row_topic("a", "a", 2);
    outages.note_row_topic("a", "a", 3);
    EXPECT_TRUE(outages.may_try("a", 2, start + 1s));
    outages.not_tried("a", 2, start + 1s);
    EXPECT_FALSE(outages.may_try("a", 2, start + 1s));
    EXPECT_TRUE(outages.may_try("a", 3, start + 1s));
    EXPECT_TRUE(outages.may_try("a", 1, start + 30s)) << "the shard that wanted to try went away";
}

TEST(Outages, AreGivenUpOnlyWhereThatIsWishedAndAfterItsTime) {
    Outages waiting({false, 10s});
    waiting.note("a", denied, start);
    EXPECT_FALSE(waiting.find("a", start + 1h)->given_up);
    Outages failing({true, 10s});
    failing.note("a", denied, start);
    EXPECT_FALSE(failing.find("a", start + 9s)->given_up);
    EXPECT_TRUE(failing.find("a", start + 10s)->given_up);
    EXPECT_TRUE(failing.all(start + 10s).front().given_up);
    EXPECT_THAT(failing.take_due(start + 10s, 10), ElementsAre("a")) << "it is asked about all the same";
}

} // namespace
} // namespace outbox::delivery
