#include "batch/batch_builder.hpp"

#include <outbox/delivery/topics.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox::relay {
namespace {

using testing::ElementsAre;
using testing::Pair;

/// Nothing here needs an answer of Kafka's, and there is none.
class BatchBuilderTest : public testing::Test {
protected:
    BatchBuilderTest() {
        options_.name = "x";
        options_.messages.encoder = messages::make_encoder({});
        options_.messages.topic = messages::TopicTemplate("RELAY_TOPIC_TEMPLATE", "events.${aggregate_type}");
    }
    BuiltBatch build(const std::vector<store::Row>& rows, const delivery::LeftOut& left_out) {
        store::RowSet claimed;
        claimed.rows = rows;
        return BatchBuilder(options_, topics_, 0, 1, {}, left_out)
            .build(std::move(claimed), Deadline::in(milliseconds(100)));
    }
    static store::Row row(std::int64_t seq, std::string_view topic, std::string_view aggregate_type) {
        store::Row row;
        row.seq = seq;
        row.key = "key";
        row.topic = topic;
        row.aggregate_type = aggregate_type;
        row.event_type = "user.created";
        row.data = "{}";
        row.max_retries = 1;
        return row;
    }

    RelayOptions options_;

private:
    kafka::Admin admin_{kafka::ClientOptions{"127.0.0.1:1", "test"}};
    delivery::TopicObserver observer_;
    delivery::Topics topics_{admin_, kafka::ClientOptions{"127.0.0.1:1", "test"}, {}, observer_};
};

TEST_F(BatchBuilderTest, WhatTheClaimLeftOutByAnotherNameIsPutBackWithTheLaterRowsOfItsKey) {
    const auto built = build({row(1, "users", "user"), row(2, "orders", "order")}, {{"events.user"}, {}, {}});
    EXPECT_EQ(built.batch, nullptr);
    ASSERT_EQ(built.put_back.size(), 2U);
    EXPECT_EQ(built.put_back[0].seq, 1);
    EXPECT_EQ(built.put_back[1].seq, 2);
    EXPECT_THAT(built.parked, ElementsAre(Pair("events.user", "users")));
}

TEST_F(BatchBuilderTest, ADeadLetterWaitsForATopicThatIsLeftOutAndTheAttemptIsNotSpent) {
    options_.dead_letter_topic = "dead";
    options_.messages.topic = {};
    const auto built = build({row(1, options_.control_topic(), "user")}, {{"dead"}, {}, {}});
    EXPECT_EQ(built.batch, nullptr);
    ASSERT_EQ(built.failed.size(), 1U);
    EXPECT_FALSE(built.failed[0].give_up);
    EXPECT_EQ(built.failed[0].retry_count, 0);
}

} // namespace
} // namespace outbox::relay
