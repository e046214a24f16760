#include <outbox/delivery/claim_budget.hpp>

#include <gtest/gtest.h>

namespace outbox::delivery {
namespace {

constexpr std::size_t kib = 1024;
constexpr std::size_t mib = 1024 * kib;

TEST(ClaimBudget, AClaimTakesAnEqualShareWithinLimits) {
    ClaimBudget budget(8 * mib);
    budget.share_among(16);
    EXPECT_EQ(budget.share(), 512 * kib);
    budget.share_among(1);
    EXPECT_EQ(budget.share(), mib);
    budget.share_among(0);
    EXPECT_EQ(budget.share(), mib);
    budget.share_among(1000);
    EXPECT_EQ(budget.share(), 64 * kib);
}

TEST(ClaimBudget, WhatIsClaimedAheadWaitsForRoom) {
    ClaimBudget budget(2 * mib);
    budget.share_among(2);
    auto first = budget.hold();
    auto second = budget.hold();
    EXPECT_FALSE(budget.hold_ahead());
    second.shrink_to(1);
    EXPECT_FALSE(budget.hold_ahead()) << "one byte too many";
    second.shrink_to(0);
    EXPECT_TRUE(budget.hold_ahead());
}

TEST(ClaimBudget, AShardWithNothingInHandNeverWaits) {
    ClaimBudget budget(mib);
    const auto first = budget.hold();
    EXPECT_TRUE(budget.hold());
}

TEST(ClaimBudget, RoomIsGivenBackOnceWhenABatchGoes) {
    ClaimBudget budget(mib);
    {
        auto held = budget.hold();
        ClaimBudget::Held batch;
        batch = std::move(held);
        batch.shrink_to(10);
        batch.shrink_to(20);
        EXPECT_FALSE(budget.hold_ahead());
    }
    EXPECT_TRUE(budget.hold_ahead()) << "all of it is there again";
    EXPECT_TRUE(budget.hold_ahead());
}

} // namespace
} // namespace outbox::delivery
