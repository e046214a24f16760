#include <outbox/store/history.hpp>

#include <gtest/gtest.h>

namespace outbox::store {
namespace {

using Events = std::vector<StoredEvent>;

TEST(PagePlan, TakesWhatFindsRoomAndAlwaysOneNumber) {
    const PageLimits limits{100, 1'000'000};
    EXPECT_EQ(plan_page(Events{{1, 100}, {2, 100}}, limits, 10).through, 2);
    EXPECT_TRUE(plan_page(Events{{1, 100}, {2, 100}}, limits, 10).whole);
    const auto two = plan_page(Events{{1, 50'000}, {2, 40'000}, {3, 40'000}}, limits, 10);
    EXPECT_EQ(two.through, 2);
    EXPECT_FALSE(two.whole);
    EXPECT_EQ(two.large_bytes, 90'000);
    const auto huge = plan_page(Events{{1, 5'000'000}, {2, 5'000'000}}, limits, 2);
    EXPECT_EQ(huge.through, 1);
    EXPECT_FALSE(huge.whole);
    EXPECT_TRUE(plan_page(Events{{7, 5'000'000}}, limits, 2).whole);
}

TEST(PagePlan, DividesNoNumber) {
    const PageLimits limits{3, 1'000'000};
    const auto plan = plan_page(Events{{1, 10}, {2, 10}, {2, 10}, {2, 10}}, limits, 10);
    EXPECT_EQ(plan.through, 1) << "there may be more of number 2";
    EXPECT_FALSE(plan.whole);
    const auto one = plan_page(Events{{2, 10}, {2, 10}, {2, 10}, {2, 10}}, limits, 10);
    EXPECT_EQ(one.through, 2);
    EXPECT_FALSE(one.whole);
    const auto large = plan_page(Events{{1, 90'000}, {2, 60'000}, {2, 60'000}}, limits, 10);
    EXPECT_EQ(large.through, 1);
}

TEST(PagePlan, ItsExpansionGrowsAtOnceAndShrinksByHalves) {
    EXPECT_DOUBLE_EQ(next_expansion(10, 1'000, 50'000), 50);
    EXPECT_DOUBLE_EQ(next_expansion(50, 1'000, 1'000), 25);
    EXPECT_DOUBLE_EQ(next_expansion(2, 1'000, 1'000), 2);
    EXPECT_DOUBLE_EQ(next_expansion(2, 1'000, 1'000'000), 100);
    EXPECT_DOUBLE_EQ(next_expansion(8, 0, 0), 4) << "nothing large was seen";
}

} // namespace
} // namespace outbox::store
