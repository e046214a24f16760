#include <outbox/backfill/survey.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox::backfill {
namespace {

using testing::HasSubstr;

store::WindowCounts window(std::int64_t first, std::int64_t last, std::vector<store::HistoryCount> counts) {
    store::WindowCounts all{std::move(counts), 0, first, last, last};
    for (const auto& count : all.counts) {
        all.events += count.events;
    }
    return all;
}

TEST(Survey, AddsWindowsUp) {
    Survey survey;
    const messages::TopicTemplate own;
    survey.add(window(0, 0, {}), own);
    survey.add(
        window(5, 9,
               {{"user", "created", "users", "2026-01-01", 3, 300}, {"user", "renamed", "users", "", 1, 90}}),
        own);
    survey.add(window(60, 80, {{"order", "created", "orders", "2026-01-01", 2, 200}}), own);
    EXPECT_EQ(survey.events, 6);
    EXPECT_EQ(survey.bytes, 590);
    EXPECT_EQ(survey.first, 5);
    EXPECT_EQ(survey.last, 80);
    EXPECT_EQ(survey.types, (std::map<std::string, std::int64_t>{{"created", 5}, {"renamed", 1}}));
    EXPECT_EQ(survey.topics, (std::map<std::string, std::int64_t>{{"orders", 2}, {"users", 4}}));
    EXPECT_EQ(survey.days, (std::map<std::string, std::int64_t>{{"2026-01-01", 5}, {"unknown", 1}}));
}

TEST(Survey, CountsTheTopicsThatTheRelaySendsTo) {
    Survey survey;
    survey.add(window(1, 9,
                      {{"user", "created", "all", "", 3, 300},
                       {"user", "renamed", "all", "", 1, 90},
                       {"order", "created", "all", "", 2, 200}}),
               messages::TopicTemplate("RELAY_TOPIC_TEMPLATE", "outbox.event.${aggregate_type}"));
    EXPECT_EQ(survey.topics,
              (std::map<std::string, std::int64_t>{{"outbox.event.order", 2}, {"outbox.event.user", 4}}));
}

TEST(Survey, ReportsCountsEndsAndAnEstimate) {
    Survey survey;
    survey.add(window(5, 9, {{"user", "created", "users", "2026-01-01", 3'000, 2'500'000}}), {});
    const std::string text =
        report(survey, {.topic = "again", .text = {}}, {"the first", "the last", 100, "--rate"});
    EXPECT_THAT(text, HasSubstr("3000 events would be replayed into topic again"));
    EXPECT_THAT(text, HasSubstr("by type\n          3000  created\n"));
    EXPECT_THAT(text, HasSubstr("first  the first\nlast   the last\n"));
    EXPECT_THAT(text, HasSubstr("about 2.5 MB of messages, about 30 s at 100 events/s (--rate)"));
}

} // namespace
} // namespace outbox::backfill
