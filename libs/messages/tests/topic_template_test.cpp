#include <outbox/core/error.hpp>
#include <outbox/messages/topic_template.hpp>

#include <gtest/gtest.h>

namespace outbox::messages {
namespace {

store::Row sample() {
    store::Row row;
    row.topic = "user-events";
    row.aggregate_type = "user";
    row.event_type = "user.created";
    return row;
}

std::string topic_by(std::string_view text) {
    Arena arena;
    return std::string(TopicTemplate("RELAY_TOPIC_TEMPLATE", text).topic_of(sample(), arena));
}

TEST(TopicTemplate, FillsInWhatTheRowHolds) {
    EXPECT_EQ(topic_by("${topic}"), "user-events");
    EXPECT_EQ(topic_by("outbox.event.${aggregate_type}"), "outbox.event.user");
    EXPECT_EQ(topic_by("${topic}.${event_type}"), "user-events.user.created");
    EXPECT_EQ(topic_by("${aggregate_type}${aggregate_type}-x"), "useruser-x");
    EXPECT_EQ(topic_by("one_for_all"), "one_for_all");
    Arena arena;
    EXPECT_EQ(TopicTemplate().topic_of(sample(), arena), "user-events");
}

TEST(TopicTemplate, TheRowsOwnTopicIsNotCopied) {
    Arena arena;
    const store::Row row = sample();
    EXPECT_EQ(TopicTemplate("x", "${topic}").topic_of(row, arena).data(), row.topic.data());
}

TEST(TopicTemplate, WhatCannotBecomeATopicsNameIsRefused) {
    for (const char* bad :
         {"", "$topic", "${topic", "${id}", "${topic}$", "a b", "${topic}/x", "$", "$$", "."}) {
        EXPECT_THROW(topic_by(bad), UsageError) << bad;
    }
    try {
        topic_by("${id}");
    } catch (const UsageError& error) {
        EXPECT_STREQ(error.what(),
                     "RELAY_TOPIC_TEMPLATE=${id} is not allowed: it must be a topic's name (letters, digits, "
                     "'.', '_' and '-') with ${topic}, ${aggregate_type} or ${event_type} in it");
    }
}

} // namespace
} // namespace outbox::messages
