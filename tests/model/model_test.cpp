#include "campaign.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace outbox::model {

void PrintTo(const NamedCure& cure, std::ostream* out) { // NOLINT(readability-identifier-naming): gtest's
    *out << cure.name;
}

namespace {

constexpr std::uint64_t first_seed = 1;

TEST(Model, EveryEventIsVisibleOnceAndInOrderWhateverTheSchedule) {
    const Campaign campaign = run_campaign(first_seed, {}, {0, 120'000});
    const std::string text = report(campaign, {});
    fmt::print("{}", text);
    EXPECT_FALSE(campaign.failed) << text;
    // The schedules are worth their name.
    EXPECT_GT(campaign.counts.batches, campaign.schedules);
    EXPECT_GT(campaign.counts.recoveries, campaign.schedules);
    EXPECT_GT(campaign.counts.crashes, campaign.schedules / 4);
    EXPECT_GT(campaign.counts.late, campaign.schedules);
}

TEST(Model, AScheduleIsPlayedAgainByItsSeed) {
    const std::string once = tell(schedule_of(7), {});
    EXPECT_EQ(tell(schedule_of(7), {}), once);
    EXPECT_NE(tell(schedule_of(8), {}), once);
}

class WithoutACure : public testing::TestWithParam<NamedCure> {};

TEST_P(WithoutACure, AScheduleShowsWhatItIsFor) {
    const Cures cures = Cures::without(GetParam().cure);
    const Campaign campaign = run_campaign(first_seed, cures, {0, 400'000});
    ASSERT_TRUE(campaign.failed) << report(campaign, cures);
    fmt::print("found by schedule {}: {}\n", campaign.failed->seed, campaign.failed->why);
    const Schedule schedule = schedule_of(campaign.failed->seed);
    EXPECT_FALSE(World(schedule, {}).play()) << "the same schedule fails with the cure as well";
    EXPECT_TRUE(World(shrink(schedule, cures), cures).play());
}

INSTANTIATE_TEST_SUITE_P(Model, WithoutACure, testing::ValuesIn(cure_names), [](const auto& instance) {
    std::string name(instance.param.name);
    std::replace(name.begin(), name.end(), '-', '_');
    return name;
});

} // namespace
} // namespace outbox::model
