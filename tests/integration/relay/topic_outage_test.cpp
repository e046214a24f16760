// Topics that take nothing: their events wait, spend no attempt and go on in order as soon as it is mended.

#include <outbox/support/relays.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace outbox::relays {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr auto mended_within = 2s * slowness;

class TopicOutage : public Relays {
protected:
    void TearDown() override { // rights are the cluster's, and outlive the database
        allow_all(topic);
        allow_all(control());
    }
    [[nodiscard]] std::string control() const { return "outbox." + database.name() + ".control"; }
    [[nodiscard]] std::string other() const { return topic + "-other"; }

    /// Events of 40 keys, in every shard.
    void write(int events, const std::string& to) {
        database.query(
            "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic)"
            " SELECT gen_random_uuid(), 'user', 'k' || i % 40, 'user.created', jsonb_build_object('i', i),"
            " $1 FROM generate_series(1, $2) AS i",
            {to, std::to_string(events)});
    }
    std::int64_t sent_to(const std::string& name) {
        return count(fmt::format("status = 'SENT' AND topic = '{}'", name));
    }
    bool wait_sent_to(const std::string& name, std::int64_t events, std::chrono::milliseconds limit = 30s) {
        return wait_until([&] { return sent_to(name) == events; }, limit);
    }
    [[nodiscard]] support::Outcome operator_status() const {
        return support::run({{support::program("outbox-relay"), "status"}, environment()});
    }
    bool wait_named_by_status(const std::string& name) {
        return wait_until(
            [&] {
                const auto status = operator_status();
                return status.exit_code == 1 && status.output.find("\n" + name + ": ") != std::string::npos;
            },
            30s);
    }
    void expect_goes_on(const std::string& name, std::int64_t events, const Process& relay) {
        const auto took = time_until([&] { return sent_to(name) == events; }, 30s);
        RecordProperty("milliseconds_after_the_mend", std::to_string(took.count()));
        EXPECT_LT(took, mended_within) << relay.errors();
        EXPECT_EQ(count("retry_count > 0 OR status = 'FAILED'"), 0) << "an attempt was spent";
        EXPECT_TRUE(wait_until([&] { return operator_status().exit_code == 0; }, 10s))
            << operator_status().output;
    }
};

TEST_F(TopicOutage, ARefusedTopicWaitsAloneWithEightShardsAndGoesOnAtOnceInOrder) {
    create_topic(topic, 6);
    create_topic(other(), 6);
    const Process relay = ready_relay({{"RELAY_SHARDS", "8"}});
    write(200, topic);
    ASSERT_TRUE(wait_sent_to(topic, 200)) << relay.errors();
    allow_reading_only(topic);
    const auto refused = [&] { // brokers hear of it a moment later
        write(1, topic);
        return lines_with("topic parked", relay.errors()) == 1;
    };
    ASSERT_TRUE(wait_until(refused, 30s)) << relay.errors();
    const auto before = sent_to(topic);
    for (int i = 1; i <= 8; ++i) {
        write(50, topic);
        write(50, other());
        EXPECT_TRUE(wait_sent_to(other(), std::int64_t{50} * i)) << relay.errors();
    }
    EXPECT_TRUE(wait_named_by_status(topic));
    EXPECT_EQ(lines_with("topic parked", relay.errors()), 1) << "one shard asks for all";
    EXPECT_EQ(sent_to(topic), before);
    const auto all = [&] { return count(fmt::format("topic = '{}'", topic)); };
    allow_all(topic);
    expect_goes_on(topic, all(), relay);
    write(100, topic);
    expect_goes_on(topic, all(), relay);
    expect_exactly_once();
}

/// Producers may go on with what they know of it, but nobody can tell any more whether it is still the same.
TEST_F(TopicOutage, ATopicThatMayNotBeDescribedAnyMoreIsNamedOnceWithTheRightThatLacks) {
    create_topic(topic, 6);
    create_topic(other(), 6);
    const Process relay = ready_relay({{"RELAY_SHARDS", "4"}});
    write(200, topic);
    ASSERT_TRUE(wait_sent_to(topic, 200)) << relay.errors();
    support::deny_describing(topic);
    for (int i = 1; i <= 4; ++i) {
        write(40, topic);
        write(40, other());
        EXPECT_TRUE(wait_sent_to(other(), std::int64_t{40} * i)) << relay.errors();
    }
    EXPECT_TRUE(wait_named_by_status(topic)) << operator_status().output << relay.errors();
    EXPECT_THAT(operator_status().output, HasSubstr("--topic " + topic));
    // Whoever asks next meets it first: the watch, which asks for ids, or a producer, whose topic is parked
    // then.
    const auto unknown_ids = lines_with("Kafka does not tell this client its id", relay.errors());
    EXPECT_LE(unknown_ids, 1) << relay.errors();
    EXPECT_THAT(relay.errors(), HasSubstr(unknown_ids == 1 ? "--operation Describe --topic " + topic
                                                           : "take back what denies Describe"));
    allow_all(topic);
    expect_goes_on(topic, 360, relay);
    const auto known_again = [&] { // who sends there asks
        write(1, topic);
        return lines_with("Kafka tells the id of this topic again", relay.errors()) == unknown_ids;
    };
    EXPECT_TRUE(wait_until(known_again, 30s)) << relay.errors();
    expect_exactly_once();
}

TEST_F(TopicOutage, ARefusingControlTopicIsNoEventsFaultAndIsSaidOnce) {
    create_topic(topic, 6);
    const Process relay = ready_relay({{"RELAY_SHARDS", "8"}});
    write(100, topic);
    ASSERT_TRUE(wait_sent_to(topic, 100)) << relay.errors();
    allow_reading_only(control());
    write(200, topic);
    EXPECT_TRUE(wait_named_by_status(control()));
    stay_quiet(4s);
    EXPECT_EQ(lines_with("topic parked", relay.errors()), 1);
    EXPECT_THAT(relay.errors(), HasSubstr("may not write to topic " + control()));
    EXPECT_LE(lines_with(" recovers", relay.errors()), 16) << "recoveries that lead nowhere";
    allow_all(control());
    expect_goes_on(topic, 300, relay);
    expect_exactly_once();
}

TEST_F(TopicOutage, AControlTopicThatIsDeletedUnderARelayIsSaidWithWhatToType) {
    create_topic(topic, 6);
    {
        Process relay = ready_relay({{"RELAY_SHARDS", "8"}});
        write(100, topic);
        ASSERT_TRUE(wait_sent_to(topic, 100)) << relay.errors();
        delete_topic(control());
        write(100, topic);
        EXPECT_TRUE(wait_until(
            [&] {
                const auto status = operator_status();
                return status.exit_code == 1 &&
                       status.output.find("of the control topic " + control() + " does not exist any more") !=
                           std::string::npos;
            },
            30s))
            << operator_status().output;
        EXPECT_THAT(operator_status().output, HasSubstr("outbox-relay reconcile"));
        EXPECT_EQ(stop(relay).exit_code, 0);
    }
    const auto settled =
        support::run({{support::program("outbox-relay"), "reconcile", "--apply"}, environment()}, 60s);
    EXPECT_EQ(settled.exit_code, 0) << settled.output << settled.errors;
    const Process relay = ready_relay({{"RELAY_SHARDS", "8"}});
    EXPECT_TRUE(wait_sent_to(topic, 200)) << relay.errors();
    expect_exactly_once();
}

TEST_F(TopicOutage, AMissingTopicThatMayNotBeCreatedWaitsWithTheCommandToType) {
    {
        Process first = ready_relay(); // creates the control topic
        EXPECT_EQ(stop(first).exit_code, 0);
    }
    create_topic(other(), 6);
    const Process relay = ready_relay({{"KAFKA_CREATE_TOPICS", "off"}});
    write(100, topic);
    write(100, other());
    EXPECT_TRUE(wait_sent_to(other(), 100)) << relay.errors();
    EXPECT_TRUE(wait_named_by_status(topic));
    EXPECT_THAT(operator_status().output, HasSubstr("kafka-topics.sh"));
    EXPECT_THAT(operator_status().output, HasSubstr("--create --topic " + topic));
    create_topic(topic, 6);
    expect_goes_on(topic, 100, relay);
    expect_exactly_once();
}

TEST_F(TopicOutage, ATopicThatIsDeletedUnderARelayStaysDeletedUntilSomebodyMakesIt) {
    create_topic(topic, 6);
    create_topic(other(), 6);
    {
        Process first = ready_relay();
        EXPECT_EQ(stop(first).exit_code, 0);
    }
    const Process relay = ready_relay({{"KAFKA_CREATE_TOPICS", "off"}});
    write(100, topic);
    ASSERT_TRUE(wait_sent_to(topic, 100)) << relay.errors();
    delete_topic(topic);
    write(100, topic);
    write(100, other());
    EXPECT_TRUE(wait_sent_to(other(), 100)) << relay.errors();
    EXPECT_TRUE(wait_named_by_status(topic));
    EXPECT_EQ(sent_to(topic), 100);
    create_topic(topic, 6);
    expect_goes_on(topic, 200, relay);
}

TEST_F(TopicOutage, IsGivenUpAfterItsTimeWhereThatIsWishedAndOtherTopicsGoOn) {
    create_topic(other(), 6);
    {
        Process first = ready_relay();
        EXPECT_EQ(stop(first).exit_code, 0);
    }
    const Process relay = ready_relay({{"KAFKA_CREATE_TOPICS", "off"},
                                       {"RELAY_TOPIC_OUTAGE", "fail"},
                                       {"RELAY_TOPIC_OUTAGE_TIMEOUT", "2"}});
    write(900, topic);
    write(100, other());
    EXPECT_TRUE(wait_sent_to(other(), 100)) << relay.errors();
    EXPECT_TRUE(wait_until([&] { return count("status = 'FAILED'") == 900; }, 30s)) << relay.errors();
    EXPECT_EQ(count("retry_count > 0"), 0);
    EXPECT_THAT(database.value("SELECT DISTINCT error_message FROM outbox_events WHERE status = 'FAILED'"),
                StartsWith("given up with its topic, which takes nothing (RELAY_TOPIC_OUTAGE=fail): topic " +
                           topic + " does not exist"));
    create_topic(topic, 6);
    EXPECT_TRUE(wait_until([&] { return operator_status().exit_code == 0; }, 10s));
    write(100, topic);
    EXPECT_TRUE(wait_sent_to(topic, 100)) << relay.errors();
}

TEST_F(TopicOutage, OfAKeyThatIsBlockedByItHoldsTheLaterEventsOfItsKeysOnly) {
    create_topic(other(), 6);
    {
        Process first = ready_relay();
        EXPECT_EQ(stop(first).exit_code, 0);
    }
    const Process relay = ready_relay({{"KAFKA_CREATE_TOPICS", "off"},
                                       {"RELAY_TOPIC_OUTAGE", "fail"},
                                       {"RELAY_TOPIC_OUTAGE_TIMEOUT", "1"},
                                       {"RELAY_ON_FAILED", "block-key"}});
    for (int i = 0; i < 3; ++i) {
        insert({.key = "a"});
    }
    ASSERT_TRUE(wait_until([&] { return count("status = 'FAILED'") == 1; }, 30s)) << relay.errors();
    const auto waits = insert({.key = "a", .topic = other()});
    EXPECT_TRUE(wait_sent(insert({.key = "b", .topic = other()}))) << relay.errors();
    EXPECT_EQ(status(waits), "NEW");
    EXPECT_EQ(count("status = 'FAILED'"), 1) << "the later events of the key wait for the operator";
}

TEST_F(TopicOutage, IsOverWhenNobodyWaitsForTheTopicAnyMore) {
    {
        Process first = ready_relay();
        EXPECT_EQ(stop(first).exit_code, 0);
    }
    const Process relay = ready_relay({{"KAFKA_CREATE_TOPICS", "off"}});
    const auto id = insert({.key = "a"});
    ASSERT_TRUE(wait_named_by_status(topic));
    database.query("UPDATE outbox_events SET status = 'SKIPPED' WHERE id = $1", {id});
    EXPECT_TRUE(wait_until([&] { return operator_status().exit_code == 0; }, 20s)) << relay.errors();
}

TEST_F(TopicOutage, AnEventThatIsTooLargeIsSentAsSoonAsTheTopicAcceptsIt) {
    create_topic(topic, 6, {{"max.message.bytes", "20000"}});
    const Process relay = ready_relay();
    const auto id =
        insert({.key = "a", .data = R"({"x": ")" + std::string(60'000, 'x') + R"("})", .max_retries = 1});
    ASSERT_TRUE(wait_until([&] { return status(id) == "FAILED"; }, 30s)) << relay.errors();
    alter_topic(topic, {{"max.message.bytes", "100000"}});
    const auto retried =
        support::run({{support::program("outbox-relay"), "retry", "--id", id}, environment()});
    EXPECT_EQ(retried.exit_code, 0) << retried.errors;
    EXPECT_TRUE(wait_sent(id, 10s)) << relay.errors();
    EXPECT_EQ(count("retry_count > 0"), 0) << "an attempt was spent on what was remembered";
}

TEST_F(TopicOutage, TheTopicsLimitCountsAfterCompression) {
    create_topic(topic, 6, {{"max.message.bytes", "20000"}});
    const Process relay = ready_relay({{"KAFKA_PRODUCER_COMPRESSION_TYPE", "gzip"}});
    const auto fits =
        insert({.key = "a", .data = R"({"x": ")" + std::string(60'000, 'x') + R"("})", .max_retries = 1});
    const auto noise = database.value("INSERT INTO outbox_events (id, aggregate_type, aggregate_id, "
                                      "event_type, event_data, topic, max_retries)"
                                      " SELECT gen_random_uuid(), 'user', 'b', 'user.created', "
                                      "jsonb_build_object('x', string_agg(md5(i::text), '')),"
                                      " $1, 1 FROM generate_series(1, 3000) AS i RETURNING id",
                                      {topic});
    EXPECT_TRUE(wait_sent(fits)) << relay.errors();
    EXPECT_TRUE(wait_until([&] { return status(noise) == "FAILED"; }, 30s)) << relay.errors();
    EXPECT_THAT(database.value("SELECT error_message FROM outbox_events WHERE id = $1", {noise}),
                HasSubstr("MSG_SIZE_TOO_LARGE"));
}

TEST_F(TopicOutage, ATopicThatIsOnlyCalledAndCompactedLikeAControlTopicIsSentTo) {
    const auto lookalike = "outbox." + database.name() + "-event.control";
    create_topic(lookalike, 2, {{"cleanup.policy", "compact"}});
    const Process relay = ready_relay();
    EXPECT_TRUE(wait_sent(insert({.key = "a", .topic = lookalike}))) << relay.errors();
    delete_topic(lookalike);
}

TEST_F(TopicOutage, RowsThatNameNoLimitFollowTheRelays) {
    const Process relay = ready_relay({{"RELAY_MAX_RETRIES", "2"}});
    const auto bad = database.value(
        "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic)"
        " VALUES (gen_random_uuid(), 'user', 'bad', 'user.created', '{}', 'no/such topic') RETURNING id");
    EXPECT_TRUE(wait_until([&] { return status(bad) == "FAILED"; }, 30s)) << relay.errors();
    EXPECT_EQ(database.number("SELECT retry_count FROM outbox_events WHERE id = $1", {bad}), 2);
}

} // namespace
} // namespace outbox::relays
