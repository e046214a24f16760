#include "shard/hindrance.hpp"

#include <gtest/gtest.h>

namespace outbox::relay {
namespace {

using namespace std::chrono_literals;

const Hindrance::Time start = SteadyClock::now();

TEST(Hindrance, IsToldOnceItLastsForASecondWithTheNewestReasonAndItsBeginning) {
    Hindrance hindrance;
    EXPECT_FALSE(hindrance.told(start));
    hindrance.met("one", start);
    EXPECT_FALSE(hindrance.told(start + 999ms));
    hindrance.met("another", start + 2s);
    const auto told = hindrance.told(start + 3s);
    ASSERT_TRUE(told);
    EXPECT_EQ(told->why, "another");
    EXPECT_EQ(told->lasts, 3s);
}

TEST(Hindrance, EndsWhenSomethingIsSentOrTheShardWorksForASecond) {
    Hindrance hindrance;
    hindrance.met("one", start);
    hindrance.over();
    EXPECT_FALSE(hindrance.told(start + 5s));
    hindrance.met("one", start);
    hindrance.works(start + 2s);
    hindrance.rests();
    EXPECT_TRUE(hindrance.told(start + 2900ms));
    EXPECT_FALSE(hindrance.told(start + 3s));
}

TEST(Hindrance, OfAPartIsToldWhileTheRestWorksUntilThatPartDoesToo) {
    Hindrance hindrance;
    hindrance.limps("one event", start);
    hindrance.works(start + 1s);
    hindrance.over();
    ASSERT_TRUE(hindrance.told(start + 5s));
    EXPECT_EQ(hindrance.told(start + 5s)->why, "one event");
    EXPECT_EQ(hindrance.told(start + 5s)->lasts, 5s);
    hindrance.met("all", start + 6s);
    EXPECT_EQ(hindrance.told(start + 8s)->why, "all");
    hindrance.over();
    hindrance.walks();
    EXPECT_FALSE(hindrance.told(start + 9s));
}

TEST(Hindrance, ThatComesBackAtEachClaimIsStillTheSame) {
    Hindrance hindrance;
    for (auto now = start; now < start + 10s; now += 500ms) {
        hindrance.met("no privilege", now);
        hindrance.works(now + 400ms);
    }
    ASSERT_TRUE(hindrance.told(start + 10s));
    EXPECT_EQ(hindrance.told(start + 10s)->lasts, 10s);
}

TEST(Hindrance, ThatHoldsUpEachPassForLongIsStillTheSame) {
    Hindrance hindrance;
    for (auto now = start; now < start + 10s; now += 2500ms) {
        hindrance.met("lock timeout", now);
        hindrance.works(now + 100ms);
        EXPECT_TRUE(now == start || hindrance.told(now + 2400ms));
    }
    EXPECT_EQ(hindrance.told(start + 9s)->lasts, 9s);
}

TEST(Hindrance, WhatHoldsItBackIsToldForAMinuteAfterItWasSaidLast) {
    Hindrance hindrance;
    EXPECT_FALSE(hindrance.slow(start));
    hindrance.slows("a quota", start);
    hindrance.slows("a quota, still", start + 50s);
    const auto slow = hindrance.slow(start + 110s);
    ASSERT_TRUE(slow);
    EXPECT_EQ(slow->why, "a quota, still");
    EXPECT_EQ(slow->lasts, 110s);
    EXPECT_FALSE(hindrance.told(start + 110s)) << "it gets on";
    EXPECT_FALSE(hindrance.slow(start + 111s));
    hindrance.slows("a quota", start + 200s);
    EXPECT_EQ(hindrance.slow(start + 201s)->lasts, 1s);
}

} // namespace
} // namespace outbox::relay
