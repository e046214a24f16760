#include "fakes.hpp"
#include "shard/unmarked_topics.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox::relay {
namespace {

using testing::ElementsAre;

const UnmarkedTopics::Time now{std::chrono::hours(1)};

TEST(UnmarkedTopics, AreLeftOutWithWhatRowsNameThatGoThere) {
    UnmarkedTopics topics;
    topics.reset({"events.user"});
    EXPECT_TRUE(topics.note("events.user", "users"));
    EXPECT_FALSE(topics.note("other", "others"));
    delivery::LeftOut out;
    topics.add_to(out);
    EXPECT_THAT(out.topics, ElementsAre("events.user"));
    EXPECT_THAT(out.row_topics, ElementsAre("users"));
    topics.reset({});
    EXPECT_TRUE(topics.empty());
}

TEST(UnmarkedTopics, AreAskedTwiceASecondUntilOneCanBeAsked) {
    fakes::Kafka kafka;
    kafka.leaderless = {"a", "b"};
    UnmarkedTopics topics;
    EXPECT_FALSE(topics.askable(kafka, now));
    topics.reset({"a", "b"});
    EXPECT_FALSE(topics.askable(kafka, now));
    EXPECT_EQ(kafka.asked, 2);
    kafka.leaderless = {"a"};
    EXPECT_FALSE(topics.askable(kafka, now + milliseconds(499))) << "it is not time yet";
    EXPECT_EQ(topics.askable(kafka, now + milliseconds(500)), "b");
}

} // namespace
} // namespace outbox::relay
