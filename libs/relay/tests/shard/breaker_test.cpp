#include "shard/breaker.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace outbox::relay {
namespace {

using namespace std::chrono_literals;

TEST(Breaker, WaitsLongerAfterEachFailureUntilABatchIsSent) {
    Breaker breaker;
    EXPECT_EQ(breaker.failed(), 1);
    EXPECT_EQ(breaker.wait(0), 50ms);
    breaker.failed();
    EXPECT_EQ(breaker.wait(0), 100ms);
    for (int i = 0; i < 10; ++i) {
        breaker.failed();
    }
    EXPECT_EQ(breaker.wait(0), 500ms);
    breaker.failed(Breaker::Cause::asks_for_a_hand);
    EXPECT_EQ(breaker.wait(0), 2s);
    breaker.failed(Breaker::Cause::refused);
    EXPECT_EQ(breaker.wait(0), 60s);
    breaker.answered();
    breaker.failed();
    EXPECT_EQ(breaker.wait(0), 50ms);
}

TEST(Breaker, GivesUpAtTheFourthFencingInAMinute) {
    Breaker breaker;
    const Breaker::Time start = SteadyClock::now();
    for (int i = 0; i < 3; ++i) {
        EXPECT_FALSE(breaker.fenced_too_often(start + i * 10s));
    }
    EXPECT_TRUE(breaker.fenced_too_often(start + 60s));
}

TEST(Breaker, ForgetsFencingsAfterAMinute) {
    Breaker breaker;
    const Breaker::Time start = SteadyClock::now();
    for (int i = 0; i < 20; ++i) {
        EXPECT_FALSE(breaker.fenced_too_often(start + i * 21s));
    }
}

/// What "more than three within a minute, this one counted" means, said without a queue.
bool too_many(const std::vector<Breaker::Time>& fencings) {
    return std::ranges::count_if(fencings,
                                 [&](Breaker::Time time) { return time + 60s >= fencings.back(); }) > 3;
}

TEST(Breaker, CountsTheFencingsOfTheLastMinuteInAnySchedule) {
    constexpr int schedules = 100'000;
    std::mt19937 random(20); // the same ones each time
    int given_up = 0;
    for (int schedule = 0; schedule < schedules; ++schedule) {
        Breaker breaker;
        std::vector<Breaker::Time> fencings{Breaker::Time(1h)};
        const auto longest_wait = 1 + random() % 60;
        for (int i = 0; i < 12; ++i) {
            fencings.push_back(fencings.back() + std::chrono::seconds(random() % longest_wait));
        }
        for (auto end = fencings.begin() + 1; end <= fencings.end(); ++end) {
            const bool expected = too_many({fencings.begin(), end});
            ASSERT_EQ(breaker.fenced_too_often(*(end - 1)), expected) << "schedule " << schedule;
            given_up += expected ? 1 : 0;
        }
    }
    EXPECT_GT(given_up, schedules);
    EXPECT_LT(given_up, 12 * schedules);
}

} // namespace
} // namespace outbox::relay
