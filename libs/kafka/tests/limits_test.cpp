#include <outbox/kafka/admin.hpp>

#include <gtest/gtest.h>

namespace outbox::kafka {
namespace {

constexpr std::int64_t for_ever = INT64_MAX;

std::int64_t kept_ms(const Properties& config) {
    return limits_from(config).kept_ms;
}

TEST(TopicLimits, ATopicKeepsRecordsForItsRetentionWhereItDeletesByTheProducersTime) {
    EXPECT_EQ(kept_ms({{"retention.ms", "1000"}}), 1'000);
    EXPECT_EQ(kept_ms({{"retention.ms", "1000"}, {"cleanup.policy", "compact,delete"}}), 1'000);
    EXPECT_EQ(kept_ms({}), 7 * 24 * 3'600'000) << "Kafka's default";
    EXPECT_EQ(kept_ms({{"retention.ms", "0"}}), 0);
}

TEST(TopicLimits, ATopicKeepsRecordsForEverWhereTheirAgeDoesNotMatter) {
    EXPECT_EQ(kept_ms({{"retention.ms", "-1"}}), for_ever);
    EXPECT_EQ(kept_ms({{"retention.ms", "1000"}, {"cleanup.policy", "compact"}}), for_ever);
    EXPECT_EQ(kept_ms({{"retention.ms", "1000"}, {"message.timestamp.type", "LogAppendTime"}}), for_ever);
}

TEST(TopicLimits, TheOneLimitOfOldBrokersHoldsInBothDirections) {
    const auto old = limits_from({{"message.timestamp.difference.max.ms", "5000"}});
    EXPECT_EQ(old.timestamp_before_max_ms, 5'000);
    EXPECT_EQ(old.timestamp_after_max_ms, 5'000);
}

} // namespace
} // namespace outbox::kafka
