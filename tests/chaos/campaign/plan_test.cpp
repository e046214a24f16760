#include "plan.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <stdexcept>

namespace outbox::chaos {
namespace {

using namespace std::chrono_literals;

std::vector<std::string> texts(const Scale& scale) {
    std::vector<std::string> lines;
    for (const Step& step : draw_plan(scale)) {
        lines.push_back(step.text());
    }
    return lines;
}

TEST(Plan, IsTheSameForTheSameSeed) {
    const Scale scale{.seed = 42, .length = 30min, .without = {}};
    EXPECT_EQ(texts(scale), texts(scale));
}

TEST(Plan, IsTheSameOnEveryMachine) {
    const Scale scale{.seed = 42, .length = 2min, .without = {}};
    EXPECT_EQ(texts(scale).front(), "   3.708 s  kill relay 1 for 497 ms");
    EXPECT_EQ(texts(scale).back(), " 121.126 s  kill postgres for 37 ms");
}

TEST(Plan, IsAnotherForAnotherSeed) {
    EXPECT_NE(texts({.seed = 1, .length = 2min, .without = {}}),
              texts({.seed = 2, .length = 2min, .without = {}}));
}

TEST(Plan, OfHalfAnHourHasEveryVictimAndKeepsToItsTime) {
    const auto plan = draw_plan({.seed = 7, .length = 30min, .without = {}});
    EXPECT_NEAR(static_cast<double>(plan.size()), 900, 150);
    for (const char* victim : {"relay", "broker", "brokers", "postgres", "kafka-link", "postgres-link"}) {
        EXPECT_TRUE(std::any_of(plan.begin(), plan.end(), [&](const Step& step) {
            return step.victim == victim;
        })) << victim;
    }
    EXPECT_TRUE(std::is_sorted(plan.begin(), plan.end(),
                               [](const Step& one, const Step& other) { return one.at < other.at; }));
}

TEST(Plan, OfTwoMinutesHasEachKindOfProcessFault) {
    std::set<std::string> kinds;
    for (const Step& step : draw_plan({.seed = 42, .length = 2min, .without = {}})) {
        kinds.insert(step.kind());
    }
    for (const char* kind : {"kill relay", "hang relay", "kill broker", "hang broker", "kill brokers",
                             "kill postgres", "hang postgres"}) {
        EXPECT_TRUE(kinds.contains(kind)) << kind;
    }
}

TEST(Plan, WithoutAnythingIsRefused) {
    EXPECT_THROW(
        draw_plan({.seed = 1,
                   .length = 2min,
                   .without = {"relay", "broker", "brokers", "postgres", "kafka-link", "postgres-link"}}),
        std::invalid_argument);
}

TEST(Plan, LeavesOutWhatItIsTold) {
    const auto plan = draw_plan({.seed = 7, .length = 30min, .without = {"broker", "brokers", "kill relay"}});
    EXPECT_TRUE(std::none_of(plan.begin(), plan.end(), [](const Step& step) {
        return step.victim.starts_with("broker") || step.kind() == "kill relay";
    }));
    EXPECT_TRUE(
        std::any_of(plan.begin(), plan.end(), [](const Step& step) { return step.kind() == "hang relay"; }));
}

} // namespace
} // namespace outbox::chaos
