#include "node/spread.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox::relay {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr Spread::Time start{1h};

/// Looks each half second. @return how many pipelines work then
std::size_t after(Spread& spread, bool behind, bool ahead, Spread::Time& now, milliseconds span) {
    for (const auto end = now + span; now < end;) {
        now += 500ms;
        spread.look(behind, ahead, now);
    }
    return spread.pipelines();
}

TEST(Spread, OnePipelineWorksWhileItKeepsUp) {
    Spread spread(2);
    auto now = start;
    EXPECT_EQ(after(spread, false, true, now, 60s), 1U);
    EXPECT_EQ(after(spread, true, false, now, 500ms), 1U) << "a burst is no backlog";
    EXPECT_EQ(after(spread, false, true, now, 500ms), 1U);
    EXPECT_EQ(after(spread, true, false, now, 500ms), 1U) << "another one is not the same";
}

TEST(Spread, ABacklogGetsAllPipelinesAndGivesThemBackLater) {
    Spread spread(3);
    auto now = start;
    EXPECT_EQ(after(spread, true, false, now, 1500ms), 2U);
    EXPECT_EQ(after(spread, true, false, now, 60s), 3U) << "and no more than there are";
    EXPECT_EQ(after(spread, false, false, now, 60s), 3U) << "one of them is behind still";
    EXPECT_EQ(after(spread, false, true, now, 9s), 3U);
    EXPECT_EQ(after(spread, false, true, now, 2s), 2U);
    EXPECT_EQ(after(spread, false, true, now, 60s), 1U);
}

TEST(Spread, ShardsAreEvenedOutByTheFewestMoves) {
    const std::map<int, std::size_t> all_at_one{{0, 0}, {1, 0}, {2, 0}, {3, 0}, {4, 0}};
    EXPECT_THAT(even_out(all_at_one, 2), ElementsAre(Move{3, 1}, Move{4, 1}));
    EXPECT_THAT(even_out(all_at_one, 1), IsEmpty());
    EXPECT_THAT(even_out({{0, 0}, {1, 1}, {2, 1}, {3, 0}}, 2), IsEmpty());
    EXPECT_THAT(even_out({{0, 0}, {1, 1}, {2, 1}, {3, 0}}, 1), ElementsAre(Move{1, 0}, Move{2, 0}));
    EXPECT_THAT(even_out({{0, 0}, {1, 0}, {2, 2}}, 2), ElementsAre(Move{2, 1}));
    EXPECT_THAT(even_out({{7, 1}}, 2), ElementsAre(Move{7, 0}));
    EXPECT_THAT(even_out({}, 2), IsEmpty());
}

} // namespace
} // namespace outbox::relay
