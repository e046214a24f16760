#include <outbox/delivery/topics.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox::delivery {
namespace {

using testing::HasSubstr;
using testing::Not;
using Kind = TopicVerdict::Kind;

kafka::TopicFacts healthy() {
    kafka::TopicFacts facts;
    facts.leaders = {1, 2, 3};
    facts.replicas = {{3, 3}, {3, 2}, {3, 3}};
    facts.may_write = true;
    facts.config = kafka::Properties{{"min.insync.replicas", "2"}, {"max.message.bytes", "5000"}};
    return facts;
}

TopicVerdict judged(const kafka::TopicFacts& facts) {
    TopicPolicy policy;
    policy.brokers = "broker:9092";
    return judge("orders", facts, policy);
}

TEST(Topics, ATopicThatBrokersSayNothingAgainstIsOpenWithItsLimits) {
    const auto verdict = judged(healthy());
    EXPECT_EQ(verdict.kind, Kind::open);
    EXPECT_EQ(verdict.partitions, 3);
    EXPECT_EQ(verdict.limits.max_message_bytes, 5000);
}

TEST(Topics, WhatBrokersDoNotSayIsNoReasonToWait) {
    auto facts = healthy();
    facts.may_write.reset();
    facts.config.reset();
    facts.replicas.clear();
    const auto verdict = judged(facts);
    EXPECT_EQ(verdict.kind, Kind::open);
    EXPECT_EQ(verdict.limits.max_message_bytes, kafka::TopicLimits{}.max_message_bytes);
}

TEST(Topics, ATopicThatMayNotBeWrittenToIsParkedWithTheCommandToType) {
    auto facts = healthy();
    facts.may_write = false;
    const auto verdict = judged(facts);
    EXPECT_EQ(verdict.kind, Kind::parked);
    EXPECT_EQ(verdict.code, kafka::topic_not_authorised);
    EXPECT_THAT(verdict.reason, HasSubstr("kafka-acls.sh --bootstrap-server broker:9092 --add"));
    EXPECT_THAT(verdict.reason, HasSubstr("--topic orders"));
}

TEST(Topics, ANameThatCollidesIsNotToBeCreatedByHand) {
    TopicPolicy policy;
    policy.brokers = "broker:9092";
    EXPECT_THAT(creation_advice("new.orders", kafka::topic_not_authorised, policy),
                HasSubstr("kafka-topics.sh --bootstrap-server broker:9092 --create --topic new.orders"));
    const auto advice = creation_advice("new.orders", kafka::invalid_topic, policy);
    EXPECT_THAT(advice, Not(HasSubstr("kafka-topics.sh")));
    EXPECT_THAT(advice, HasSubstr("outbox-relay skip"));
}

TEST(Topics, ATopicThatMayNotBeSeenIsParked) {
    kafka::TopicFacts facts;
    facts.error = kafka::topic_not_authorised;
    const auto verdict = judged(facts);
    EXPECT_EQ(verdict.kind, Kind::parked);
    EXPECT_THAT(verdict.reason, HasSubstr("TOPIC_AUTHORIZATION_FAILED"));
}

TEST(Topics, TooFewReplicasParkATopicWithBothNumbers) {
    auto facts = healthy();
    facts.replicas[1].in_sync = 1;
    const auto verdict = judged(facts);
    EXPECT_EQ(verdict.kind, Kind::parked);
    EXPECT_THAT(verdict.reason, HasSubstr("has 1 replica in sync and min.insync.replicas=2"));
    EXPECT_THAT(verdict.reason, HasSubstr("--add-config min.insync.replicas=1"));
}

TEST(Topics, APartitionNeedsNoMoreReplicasThanItHas) {
    auto facts = healthy();
    facts.replicas = {{1, 1}, {1, 1}, {1, 1}};
    EXPECT_EQ(judged(facts).kind, Kind::open);
}

TEST(Topics, APartitionWithoutALeaderParksItsTopic) {
    auto facts = healthy();
    facts.error = kafka::leader_not_available;
    facts.leaders[1] = -1;
    EXPECT_EQ(judged(facts).kind, Kind::parked);
}

TEST(Topics, ANameThatBrokersTakeForNoneIsTheEventsOwnFault) {
    kafka::TopicFacts facts;
    facts.error = kafka::invalid_topic;
    EXPECT_EQ(judged(facts).kind, Kind::refused);
}

} // namespace
} // namespace outbox::delivery
