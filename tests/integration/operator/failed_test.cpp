// What becomes of an event that is given up, and of its key.
#include "fixture.hpp"

#include <fmt/format.h>

#include <csignal>

namespace outbox::relays {
namespace {

class Failed : public Operator {
protected:
    const std::string letters = topic + "_dead";
    const std::string large = fmt::format(R"({{"text":"{}"}})", std::string(5'000, 'x'));

    void SetUp() override { create_topic(topic, 6, {{"max.message.bytes", "2000"}}); }

    [[nodiscard]] Variables dead_letters() const { return {{"RELAY_DEAD_LETTER_TOPIC", letters}}; }
    std::string error_of(const std::string& id) {
        return database.value("SELECT error_message FROM outbox_events WHERE id = $1", {id});
    }
    std::vector<std::string> values_of(const std::string& key) const {
        std::vector<std::string> values;
        for (const Message& message : read_topic(topic)) {
            if (message.key == key) {
                values.push_back(message.value);
            }
        }
        return values;
    }
};

TEST_F(Failed, GoesToTheDeadLetterTopicOnceAsItWouldHaveBeenSentWithConnectsHeaders) {
    const Process relay = ready_relay(dead_letters());
    const auto first = insert({.key = "a", .data = large, .max_retries = 1});
    const auto second = insert({.key = "b", .data = large, .max_retries = 2});
    const auto after = insert({.key = "a", .data = R"({"n": 2})"});
    ASSERT_TRUE(wait_status(first, "FAILED")) << relay.errors();
    ASSERT_TRUE(wait_status(second, "FAILED")) << relay.errors();
    EXPECT_TRUE(wait_sent(after)) << relay.errors();
    const auto dead = read_topic(letters);
    ASSERT_EQ(dead.size(), 2U);
    auto letter = dead[0].key == "a" ? dead[0] : dead[1];
    EXPECT_EQ(letter.key, "a");
    EXPECT_THAT(letter.value, HasSubstr("xxxxx"));
    auto& headers = letter.headers;
    EXPECT_EQ(headers["ce_id"], first);
    EXPECT_EQ(headers["ce_type"], "user.created");
    EXPECT_EQ(headers["__connect.errors.topic"], topic);
    EXPECT_THAT(headers["__connect.errors.partition"], testing::MatchesRegex("[0-5]"));
    EXPECT_EQ(headers["__connect.errors.offset"], "-1");
    EXPECT_EQ(headers["__connect.errors.connector.name"], database.name());
    EXPECT_EQ(headers["__connect.errors.stage"], "KAFKA_PRODUCE");
    EXPECT_EQ(headers["__connect.errors.exception.class.name"],
              "org.apache.kafka.common.errors.RecordTooLargeException");
    EXPECT_EQ(headers["__connect.errors.exception.message"], error_of(first));
    EXPECT_EQ(database.number("SELECT retry_count FROM outbox_events WHERE id = $1", {second}), 2);
    EXPECT_EQ(read_topic(topic).size(), 1U);
    expect_exactly_once({"--wait", "30", "--allow-failed"});
}

TEST_F(Failed, IsDeadLetteredOnceAndBlocksItsKeyThoughTheRelayDiesBeforeItSaysSo) {
    const auto dead = insert({.key = "a", .data = large, .max_retries = 1});
    auto variables = environment({{"RELAY_ON_FAILED", "block-key"}, {"OUTBOX_FAULT", "after-commit:1"}});
    variables.merge(dead_letters());
    Process doomed({{support::program("outbox-relay-faults")}, variables});
    ASSERT_EQ(doomed.wait(Deadline::in(60s)).signal, SIGKILL) << doomed.errors();
    EXPECT_NE(status(dead), "FAILED");
    const auto after = insert({.key = "a"});
    variables.erase("OUTBOX_FAULT");
    const Process relay = ready_relay(variables);
    ASSERT_TRUE(wait_status(dead, "FAILED")) << relay.errors();
    EXPECT_THAT(error_of(dead), HasSubstr("dead-letter topic"));
    ASSERT_TRUE(wait_sent(insert({.key = "b"}))) << relay.errors();
    EXPECT_EQ(status(after), "NEW");
    EXPECT_EQ(read_topic(letters).size(), 1U);
    done({"skip", "--id", dead, "--reason", "dead"});
    EXPECT_TRUE(wait_sent(after)) << relay.errors();
    EXPECT_EQ(read_topic(letters).size(), 1U);
    expect_exactly_once();
}

TEST_F(Failed, DoesWithoutALetterThatTheDeadLetterTopicDoesNotTakeAndSaysSo) {
    create_topic(letters, 1, {{"max.message.bytes", "3000"}});
    const Process relay = ready_relay(dead_letters());
    const auto id = insert({.key = "a", .data = large, .max_retries = 1});
    ASSERT_TRUE(wait_status(id, "FAILED")) << relay.errors();
    EXPECT_THAT(error_of(id), HasSubstr("topic " + topic + " accepts 2000"));
    EXPECT_THAT(error_of(id), HasSubstr("; not in the dead-letter topic: the record takes"));
    EXPECT_THAT(error_of(id), HasSubstr("topic " + letters + " accepts 3000"));
    EXPECT_TRUE(wait_sent(insert({.key = "a"}))) << relay.errors();
    EXPECT_EQ(read_topic(letters).size(), 0U);
}

TEST_F(Failed, BlocksItsKeyUntilAnOperatorActsWhereThatIsWishedAndNoOtherKey) {
    const Variables block{{"RELAY_ON_FAILED", "block-key"}};
    std::string failed;
    {
        Process first = ready_relay(block);
        failed = insert({.key = "a", .data = large, .max_retries = 1});
        insert({.key = "a", .data = R"({"n": 2})"});
        ASSERT_TRUE(wait_status(failed, "FAILED")) << first.errors();
        insert({.key = "a", .data = R"({"n": 3})"});
        ASSERT_TRUE(wait_sent(insert({.key = "b"}))) << first.errors();
        expect_none_sent("aggregate_id = 'a'", 2s);
        EXPECT_EQ(stop(first).exit_code, 0);
    }
    const Process second = ready_relay(block);
    ASSERT_TRUE(wait_sent(insert({.key = "c"}))) << second.errors();
    expect_none_sent("aggregate_id = 'a'", 2s);
    database.query(
        fmt::format("UPDATE outbox_events SET event_data = '{{\"n\": 1}}' WHERE id = '{}'", failed));
    done({"retry", "--id", failed});
    ASSERT_TRUE(wait_until([&] { return count("status = 'SENT'") == 5; }, 30s)) << second.errors();
    EXPECT_EQ(values_of("a"), (Words{R"({"n": 1})", R"({"n": 2})", R"({"n": 3})"}));
    EXPECT_TRUE(
        wait_until([&] { return database.number("SELECT count(*) FROM outbox_blocked_keys") == 0; }, 30s));
    expect_exactly_once();
}

} // namespace
} // namespace outbox::relays
