#include "kafka.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace outbox::check {
namespace {

using testing::HasSubstr;
using Step = kafka::Greeting::Step;

Line line(const std::vector<Line>& lines, const std::string& name) {
    const auto found = std::ranges::find(lines, name, &Line::name);
    return found == lines.end() ? Line{name, Status::skip, "nothing"} : *found;
}

std::vector<Status> statuses(const kafka::Greeting& greeting) {
    std::vector<Status> all;
    for (const Line& each : judge_greeting("b:1", greeting, {true, true, "relay"})) {
        all.push_back(each.status);
    }
    return all;
}

TEST(CheckedBroker, FailsWhereTheConnectionEnded) {
    constexpr auto ok = Status::ok;
    constexpr auto fail = Status::fail;
    constexpr auto skip = Status::skip;
    EXPECT_EQ(statuses({Step::done, "", "3.0"}), (std::vector{ok, ok, ok}));
    EXPECT_EQ(statuses({Step::tls, "no", ""}), (std::vector{fail, skip, skip}));
    EXPECT_EQ(statuses({Step::login, "no", ""}), (std::vector{ok, fail, skip}));
    EXPECT_EQ(statuses({Step::ask, "no", ""}), (std::vector{ok, ok, fail}));
}

TEST(CheckedBroker, IsWarnedAboutWhenItIsOld) {
    EXPECT_EQ(statuses({Step::done, "", "2.2"}).back(), Status::warn);
    EXPECT_EQ(statuses({Step::done, "", "2.8"}).back(), Status::warn);
    EXPECT_EQ(statuses({Step::done, "", "0.10"}).back(), Status::warn);
    EXPECT_EQ(statuses({Step::done, "", "4.1"}).back(), Status::ok);
}

TEST(CheckedCluster, IsTheOutboxsOwn) {
    EXPECT_EQ(judge_cluster(std::nullopt, "x", "b:1").status, Status::ok);
    EXPECT_EQ(judge_cluster("x", "x", "b:1").status, Status::ok);
    EXPECT_EQ(judge_cluster("y", "x", "b:1").status, Status::fail);
}

TEST(CheckedTransactions, CannotBeginWithTooFewBrokersOrTooShortATime) {
    TransactionFacts facts;
    facts.timeout_ms = 20'000;
    EXPECT_EQ(line(judge_transactions(facts, "b:1"), "kafka transaction timeout").status, Status::skip);
    facts.broker = kafka::Properties{{"transaction.state.log.replication.factor", "3"},
                                     {"transaction.max.timeout.ms", "900000"}};
    EXPECT_EQ(line(judge_transactions(facts, "b:1"), "kafka transaction state").status, Status::fail);
    EXPECT_EQ(line(judge_transactions(facts, "b:1"), "kafka transaction timeout").status, Status::ok);
    facts.brokers = 3;
    EXPECT_EQ(line(judge_transactions(facts, "b:1"), "kafka transaction state").status, Status::ok);
    (*facts.broker)["transaction.max.timeout.ms"] = "10000";
    EXPECT_THAT(line(judge_transactions(facts, "b:1"), "kafka transaction timeout").todo,
                HasSubstr("transaction.max.timeout.ms=20000"));
}

TEST(CheckedTransactions, NeedTheirRecordInSyncAndItsEndKept) {
    TransactionFacts facts;
    facts.state.emplace();
    facts.state->leaders = {1};
    facts.state->replicas = {{3, 1}};
    facts.state->config = kafka::Properties{{"min.insync.replicas", "2"}};
    EXPECT_EQ(line(judge_transactions(facts, "b:1"), "kafka transaction state").status, Status::fail);
    facts.state->replicas = {{3, 2}};
    EXPECT_EQ(line(judge_transactions(facts, "b:1"), "kafka transaction state").status, Status::ok);
    (*facts.state->config)["unclean.leader.election.enable"] = "true";
    EXPECT_EQ(line(judge_transactions(facts, "b:1"), "kafka transaction state").status, Status::warn);
}

TEST(CheckedReplicas, AreCountedAgainstThoseThatMustAcknowledge) {
    const auto judged = [](int all, const std::string& least) {
        kafka::TopicFacts facts;
        facts.leaders = {1};
        facts.replicas = {{all, all}};
        facts.config = kafka::Properties{{"min.insync.replicas", least}};
        return line(judge_topic({"t"}, facts, {}), "topic t replicas").status;
    };
    EXPECT_EQ(judged(3, "2"), Status::ok);
    EXPECT_EQ(judged(3, "1"), Status::warn);
    EXPECT_EQ(judged(3, "3"), Status::warn);
    EXPECT_EQ(judged(1, "1"), Status::warn);
    EXPECT_EQ(judged(2, "3"), Status::fail);
}

TEST(CheckedTopic, ThatMayNotBeDescribedIsWarnedAbout) {
    kafka::TopicFacts facts;
    facts.leaders = {1};
    EXPECT_EQ(line(judge_topic({"t"}, facts, {}), "topic t settings").status, Status::warn);
}

TEST(CheckedTopic, ThatLosesItsNewestEventsIsWarnedAbout) {
    kafka::TopicFacts facts;
    facts.leaders = {1};
    facts.config = kafka::Properties{{"unclean.leader.election.enable", "true"}};
    EXPECT_EQ(line(judge_topic({"t"}, facts, {}), "topic t keeping").status, Status::warn);
}

} // namespace
} // namespace outbox::check
