#include <outbox/partition/strategy.hpp>

#include <gtest/gtest.h>

namespace outbox::partition {
namespace {

TEST(Murmur2, EqualsTheJavaClientsVectors) {
    EXPECT_EQ(static_cast<std::int32_t>(murmur2("21")), -973932308);
    EXPECT_EQ(static_cast<std::int32_t>(murmur2("foobar")), -790332482);
    EXPECT_EQ(static_cast<std::int32_t>(murmur2("a-little-bit-long-string")), -985981536);
    EXPECT_EQ(static_cast<std::int32_t>(murmur2("a-little-bit-longer-string")), -1486304829);
    EXPECT_EQ(static_cast<std::int32_t>(murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8")),
              -58897971);
    EXPECT_EQ(static_cast<std::int32_t>(murmur2("abc")), 479470107);
}

TEST(ByKey, StaysInsideTheTopicAndGivesOneKeyOnePartition) {
    const auto strategy = by_key();
    for (int i = 0; i < 1000; ++i) {
        const std::string key = "key-" + std::to_string(i);
        const auto partition = strategy->choose({key, "topic", "type"}, 6);
        ASSERT_TRUE(partition.has_value());
        EXPECT_GE(*partition, 0);
        EXPECT_LT(*partition, 6);
        EXPECT_EQ(partition, strategy->choose({key, "other", "type"}, 6));
    }
}

} // namespace
} // namespace outbox::partition
