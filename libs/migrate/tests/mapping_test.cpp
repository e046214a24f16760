#include <outbox/core/error.hpp>
#include <outbox/migrate/mapping.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox::migrations {
namespace {

using testing::HasSubstr;

std::string refusal(const ConfigFile::Group& section) {
    try {
        mapping_from(section);
        return "it was not refused";
    } catch (const UsageError& error) {
        return error.what();
    }
}

/// Columns in angle brackets.
std::string topic(const ConfigFile::Group& section) {
    std::string text;
    const auto mapping = mapping_from(section);
    for (const TopicPart& part : mapping->topic) {
        text += part.column ? "<" + part.text + ">" : part.text;
    }
    return text;
}

TEST(Mapping, WithoutASectionThereIsNone) {
    EXPECT_FALSE(mapping_from({}));
}

TEST(Mapping, NeedsNoMoreThanANameWhereColumnsAreCalledAsDebeziumCallsThem) {
    const auto mapping = mapping_from({{"name", "outbox"}});
    EXPECT_EQ(mapping->schema, "public");
    EXPECT_EQ(mapping->aggregate_type, "aggregatetype");
    EXPECT_EQ(mapping->aggregate_id, "aggregateid");
    EXPECT_EQ(mapping->event_type, "type");
    EXPECT_EQ(mapping->event_data, "payload");
    EXPECT_FALSE(mapping->created_at);
    EXPECT_EQ(topic({{"name", "outbox"}}), "outbox.event.<aggregatetype>");
}

TEST(Mapping, ATopicIsAColumnOrATemplateOverTheColumnsAsTheyAreCalled) {
    EXPECT_EQ(topic({{"name", "o"}, {"topic", "dest"}}), "<dest>");
    EXPECT_EQ(topic({{"name", "o"},
                     {"aggregate_type", "kind"},
                     {"topic_template", "a.${aggregate_type}_${event_type}-z"}}),
              "a.<kind>_<type>-z");
    EXPECT_EQ(topic({{"name", "o"}, {"topic_template", "events"}}), "events");
    EXPECT_THAT(refusal({{"name", "o"}, {"topic", "a"}, {"topic_template", "b"}}),
                HasSubstr("exclude each other"));
    for (const char* bad : {"a b", "${id}", "a'b", "$", "${aggregate_type"}) {
        EXPECT_THAT(refusal({{"name", "o"}, {"topic_template", bad}}), HasSubstr("is not allowed")) << bad;
    }
}

TEST(Mapping, NamesWhatIsMissingOrEmpty) {
    EXPECT_THAT(refusal({{"schema", "orders"}}), HasSubstr("needs a name"));
    EXPECT_THAT(refusal({{"name", "o"}, {"event_data", ""}}), HasSubstr("event_data must not be empty"));
}

} // namespace
} // namespace outbox::migrations
