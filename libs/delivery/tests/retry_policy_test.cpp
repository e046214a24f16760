#include <outbox/delivery/retry_policy.hpp>

#include <gtest/gtest.h>

namespace outbox::delivery {
namespace {

TEST(Backoff, DoublesUpToItsCapAndJitterTakesAtMostHalf) {
    const Backoff backoff(milliseconds(100), milliseconds(1000));
    EXPECT_EQ(backoff.after(1, 0), milliseconds(100));
    EXPECT_EQ(backoff.after(2, 0), milliseconds(200));
    EXPECT_EQ(backoff.after(3, 0), milliseconds(400));
    EXPECT_EQ(backoff.after(9, 0), milliseconds(1000));
    EXPECT_EQ(backoff.after(1'000'000, 0), milliseconds(1000));
    EXPECT_GE(backoff.after(9, 0.999), milliseconds(500));
}

TEST(NextAttempt, GivesUpWhenTheRowsOwnRetriesAreSpent) {
    store::Row row;
    row.max_retries = 2;
    EXPECT_FALSE(next_attempt(row, 9, "why", 0).give_up);
    row.retry_count = 1;
    const auto attempt = next_attempt(row, 9, "why", 0);
    EXPECT_TRUE(attempt.give_up);
    EXPECT_EQ(attempt.retry_count, 2);
    EXPECT_EQ(attempt.error, "why");
}

TEST(NextAttempt, TheSettingCountsWhereTheRowHoldsNull) {
    store::Row row;
    row.retry_count = 2;
    EXPECT_TRUE(next_attempt(row, 3, "why", 0).give_up);
    EXPECT_FALSE(next_attempt(row, 4, "why", 0).give_up);
}

} // namespace
} // namespace outbox::delivery
