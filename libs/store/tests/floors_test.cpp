#include <outbox/store/floors.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace outbox::store {
namespace {

using testing::ElementsAre;

constexpr auto lowest = std::numeric_limits<std::int64_t>::min();

TEST(Floors, RiseAndAreLoweredByARowThatBecomesReadyAgain) {
    Floors floors;
    floors.raise(3, 100);
    floors.raise(3, 50);
    EXPECT_EQ(floors.floor_of(3), 100);
    floors.lower(3, 200);
    EXPECT_EQ(floors.floor_of(3), 100);
    floors.lower(3, 70);
    EXPECT_EQ(floors.floor_of(3), 69);
    const std::vector<int> buckets{11, 3};
    EXPECT_THAT(floors.of(buckets), ElementsAre(lowest, 69));
}

TEST(Floors, HoldWhileTheSameTopicsAndMoreAreLeftOut) {
    const std::vector<std::string> a{"a"};
    const std::vector<std::string> both{"b", "a"};
    Floors floors;
    floors.leave_out(a);
    floors.raise(3, 100);
    floors.leave_out(both);
    EXPECT_EQ(floors.floor_of(3), 100);
    floors.leave_out(a);
    EXPECT_EQ(floors.floor_of(3), lowest) << "events of b may lie below";
}

TEST(Horizon, IsSettledWhenEveryWriterOfItsMomentHasEnded) {
    const Horizon horizon{100, {"3/7", "4/1"}};
    EXPECT_FALSE(horizon.settled({"4/1"}));
    EXPECT_TRUE(horizon.settled({"4/2", "5/1"}));
    EXPECT_TRUE(horizon.settled({}));
    EXPECT_FALSE(horizon.settled({"-1/815"})) << "a prepared transaction had another name before";
}

} // namespace
} // namespace outbox::store
