#include <outbox/backfill/pace.hpp>

#include <gtest/gtest.h>

namespace outbox::backfill {
namespace {

using namespace std::chrono_literals;

constexpr SteadyClock::time_point start{1h};

TEST(RateLimiter, LetsNoMoreThroughThanTheRate) {
    RateLimiter limiter(1'000);
    EXPECT_TRUE(limiter.open(start));
    limiter.spend(500, start);
    EXPECT_FALSE(limiter.open(start + 499ms));
    EXPECT_TRUE(limiter.open(start + 500ms));
}

TEST(RateLimiter, SavesNothingUpWhileNothingGoes) {
    RateLimiter limiter(1'000);
    limiter.spend(100, start);
    limiter.spend(100, start + 10s);
    EXPECT_EQ(limiter.opens_at(), start + 10s + 100ms);
}

TEST(RateLimiter, TakesAFifthOfASecondAtOnceButSomething) {
    EXPECT_EQ(RateLimiter(1'000).portion(6'000), 200U);
    EXPECT_EQ(RateLimiter(1).portion(6'000), 1U);
    EXPECT_EQ(RateLimiter(1'000'000).portion(6'000), 6'000U);
    EXPECT_EQ(RateLimiter(std::nullopt).portion(6'000), 6'000U);
}

TEST(RateLimiter, WithoutARateIsAlwaysOpen) {
    RateLimiter limiter(std::nullopt);
    limiter.spend(1'000'000, start);
    EXPECT_TRUE(limiter.open(start));
}

TEST(Progress, TellsRateAndTimeLeft) {
    Progress progress(10'000, 0, start);
    progress.update(2'000, start + 2s);
    EXPECT_EQ(progress.line(), "2000 of 10000 events (20 %), 1000 events/s, 8 s left");
    EXPECT_EQ(progress.bar(), "[####----------------] " + progress.line());
    EXPECT_FALSE(progress.complete());
    progress.update(10'000, start + 10s);
    EXPECT_EQ(progress.line(), "10000 of 10000 events (100 %), 1000 events/s");
    EXPECT_TRUE(progress.complete());
}

TEST(Progress, GoesByTheLastTenSeconds) {
    Progress progress(1'000'000, 500'000, start);
    for (int i = 1; i <= 60; ++i) {
        progress.update(500'000 + (i <= 50 ? 100 * i : 5'000 + 10 * (i - 50)),
                        start + std::chrono::seconds(i));
    }
    EXPECT_NEAR(progress.rate(), 10, 1);
}

TEST(Progress, SpeaksOfLongTimesInHours) {
    EXPECT_EQ(duration_text(59.4), "59 s");
    EXPECT_EQ(duration_text(200), "3 min 20 s");
    EXPECT_EQ(duration_text(7'500), "2 h 5 min");
}

} // namespace
} // namespace outbox::backfill
