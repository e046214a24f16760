#include "wire/wire.hpp"

#include <outbox/kafka/topic_ids.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox::kafka {
namespace {

using testing::ElementsAre;

void list(wire::Encoder& to, std::size_t count) {
    to.compact_size(count);
    for (std::size_t i = 0; i < count; ++i) {
        to.int32(0);
    }
}

/// An answer to Metadata, version 10, about one topic of three partitions.
std::string answer(std::int16_t error, std::int64_t id) {
    wire::Encoder to;
    to.int32(0);        // throttle time
    to.compact_size(1); // brokers
    to.int32(7);
    to.compact_string("host");
    to.int32(9092);
    to.compact_string("rack");
    to.no_tags();
    to.compact_string("cluster");
    to.int32(7);        // controller
    to.compact_size(1); // topics
    to.int16(error);
    to.compact_string("orders");
    to.int64(0);
    to.int64(id);
    to.int8(0);
    to.compact_size(3); // partitions
    for (const std::int32_t leader : {7, -1, 9}) {
        to.int16(0);
        to.int32(0);
        to.int32(leader);
        to.int32(3); // its epoch
        list(to, 3);
        list(to, 2);
        list(to, 0);
        to.no_tags();
    }
    to.int32(0); // what is allowed
    to.no_tags();
    to.int32(0);
    to.no_tags();
    return to.bytes();
}

TEST(TopicIds, AnAnswerTellsIdLeadersAndBrokers) {
    const auto found = read_identities(answer(0, 0x0102));
    const auto& topic = found.topics.at("orders");
    EXPECT_EQ(topic.error, 0);
    EXPECT_EQ(topic.id.to_string(), "00000000-0000-0000-0000-000000000102");
    EXPECT_THAT(topic.leaders, ElementsAre(7, 9));
    EXPECT_EQ(found.brokers.at(7).host, "host");
    EXPECT_EQ(found.brokers.at(7).port, 9092);
}

TEST(TopicIds, ATopicThatIsNotThereHasNone) {
    EXPECT_EQ(read_identities(answer(3, 0x0102)).topics.at("orders").id, Uuid());
}

TEST(TopicIds, AnAnswerThatIsCutShortIsRefused) {
    const std::string whole = answer(0, 1);
    EXPECT_THROW(read_identities(whole.substr(0, whole.size() - 10)), wire::Malformed);
}

} // namespace
} // namespace outbox::kafka
