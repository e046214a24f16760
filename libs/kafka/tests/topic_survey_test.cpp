#include "wire/wire.hpp"

#include <outbox/kafka/topic_survey.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox::kafka {
namespace {

using testing::ElementsAre;

void list(wire::Encoder& to, int count) {
    to.int32(count);
    for (int i = 0; i < count; ++i) {
        to.int32(i);
    }
}

/// An answer to Metadata, version 8, about one topic of two partitions.
std::string answer(std::int32_t operations, std::int32_t second_partition = 1) {
    wire::Encoder to;
    to.int32(0); // throttle time
    to.int32(1); // brokers
    to.int32(7);
    to.string("host");
    to.int32(9092);
    to.int16(-1); // no rack
    to.string("cluster");
    to.int32(7);
    to.int32(1); // topics
    to.int16(0);
    to.string("orders");
    to.int8(0);
    to.int32(2); // partitions
    for (const std::int32_t index : {0, second_partition}) {
        to.int16(0);
        to.int32(index);
        to.int32(index == 0 ? 7 : -1); // leader
        to.int32(3);                   // its epoch
        list(to, 3);
        list(to, index == 0 ? 3 : 1); // in sync
        list(to, 0);
    }
    to.int32(operations);
    to.int32(0);
    return to.bytes();
}

TEST(TopicFacts, TellLeadersReplicasAndWhatIsAllowed) {
    const auto facts = read_topic_facts(answer(1 << 4)).at("orders");
    EXPECT_EQ(facts.error, 0);
    EXPECT_THAT(facts.leaders, ElementsAre(7, -1));
    EXPECT_FALSE(facts.led());
    ASSERT_EQ(facts.replicas.size(), 2U);
    EXPECT_EQ(facts.replicas[1].all, 3);
    EXPECT_EQ(facts.replicas[1].in_sync, 1);
    EXPECT_EQ(facts.may_write, true);
    EXPECT_EQ(read_topic_facts(answer(1 << 8)).at("orders").may_write, false);
    EXPECT_EQ(read_topic_facts(answer(std::numeric_limits<std::int32_t>::min())).at("orders").may_write,
              std::nullopt);
}

TEST(TopicFacts, OfAnAnswerThatCannotBeReadAreNone) {
    EXPECT_THROW(read_topic_facts(answer(0, 2)), wire::Malformed) << "a partition that there is not";
    const auto whole = answer(0);
    EXPECT_THROW(read_topic_facts(whole.substr(0, whole.size() - 8)), wire::Malformed);
}

} // namespace
} // namespace outbox::kafka
