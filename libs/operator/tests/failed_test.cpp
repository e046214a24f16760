#include <outbox/operator/failed.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace outbox::verbs {
namespace {

using testing::HasSubstr;

FailedGroup group(std::int64_t events, std::optional<std::string> type = "user.created") {
    return {"orders",
            events,
            "2026-01-31T08:00:00Z",
            "2026-01-31T09:00:00Z",
            "0b7c3c1e-7d1f-4a38-9c39-94f1d0f5a0a1",
            "too large",
            std::move(type)};
}

TEST(FailedEvents, OfOneKindAreRetriedByTheirTypeAndTheTimeOfTheFirst) {
    EXPECT_EQ(next_command(group(1)), "outbox-relay retry --id 0b7c3c1e-7d1f-4a38-9c39-94f1d0f5a0a1");
    EXPECT_EQ(next_command(group(2)),
              "outbox-relay retry --event-type 'user.created' --failed-since '2026-01-31T08:00:00Z'");
    EXPECT_EQ(next_command(group(2, std::nullopt)),
              "outbox-relay retry --failed-since '2026-01-31T08:00:00Z'");
    EXPECT_THAT(next_command(group(2, "it's")), HasSubstr(R"('it'\''s')"));
}

TEST(FailedEvents, AreToldWithCountTimesExampleMessageAndWhatToType) {
    EXPECT_EQ(to_text({}), "no event is FAILED\n");
    EXPECT_EQ(to_text({0, 0, {}, true}), "no event that these options choose is FAILED\n");
    const auto text = to_text({7, 3, {group(4)}});
    EXPECT_THAT(text, HasSubstr("7 events are FAILED"));
    EXPECT_THAT(
        text,
        HasSubstr("4 of topic orders, 2026-01-31T08:00:00Z to 2026-01-31T09:00:00Z, the last one 0b7c"));
    EXPECT_THAT(text, HasSubstr("\n  too large\n  when that is mended: outbox-relay retry --event-type"));
    EXPECT_THAT(text, HasSubstr("2 smaller groups are not shown"));
    const auto json = nlohmann::json::parse(to_json({7, 3, {group(4)}}));
    EXPECT_EQ(json["failed"], 7);
    EXPECT_EQ(json["largest"][0]["count"], 4);
    EXPECT_EQ(json["largest"][0]["next"], next_command(group(4)));
}

} // namespace
} // namespace outbox::verbs
