#include <outbox/relay/breaker.hpp>

#include <gtest/gtest.h>

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
    breaker.sent();
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

} // namespace
} // namespace outbox::relay
