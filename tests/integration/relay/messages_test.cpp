// What a message holds, where it goes, and how producers are set up.

#include <outbox/support/environment.hpp>
#include <outbox/support/relays.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>

namespace outbox::relays {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto user_event = R"({"id": "u-1", "price": 1.50, "name": "Zoë \"Z\""})";

class Messages : public Relays {
protected:
    /// An event with everything that a row can say. @return its id
    std::string insert_whole() {
        return database.value(
            "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic, "
            "partition_key, created_at, headers) VALUES (gen_random_uuid(), 'user', 'u-1', 'user.created', "
            "$1::jsonb, $2, 'k-1', now(), $3::jsonb) RETURNING id",
            {user_event, topic, R"({"traceparent": "00-1-2-01"})"});
    }

    std::string stored_data() { return database.value("SELECT event_data::text FROM outbox_events LIMIT 1"); }

    /// The only message that this relay sends.
    Message sent_by(const Variables& changes, const std::string& to) {
        Process relay = start_relay(changes);
        const auto id = insert_whole();
        EXPECT_TRUE(wait_sent(id, 60s)) << relay.errors();
        const auto messages = read_topic(to);
        stop(relay);
        return messages.size() == 1 ? messages.front() : Message{};
    }

    /// Events per partition.
    std::map<std::int32_t, int> spread() const {
        std::map<std::int32_t, int> counts;
        for (const Message& message : read_topic(topic)) {
            ++counts[message.partition];
        }
        return counts;
    }
};

TEST_F(Messages, InStructuredModeTheValueIsTheWholeEvent) {
    const auto message = sent_by({{"RELAY_FORMAT", "cloudevents-structured"}}, topic);
    EXPECT_EQ(message.headers, (Variables{{"content-type", "application/cloudevents+json; charset=UTF-8"},
                                          {"traceparent", "00-1-2-01"}}));
    EXPECT_EQ(message.value,
              fmt::format(R"({{"specversion":"1.0","id":"{}","source":"/outbox/{}","type":"user.created",)"
                          R"("time":"{}","subject":"u-1","partitionkey":"k-1",)"
                          R"("datacontenttype":"application/json","data":{}}})",
                          database.value("SELECT id FROM outbox_events"), database.name(),
                          database.value("SELECT to_char(created_at AT TIME ZONE 'UTC', "
                                         "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM outbox_events"),
                          stored_data()));
    EXPECT_EQ(nlohmann::json::parse(message.value)["data"], nlohmann::json::parse(user_event));
    EXPECT_EQ(message.key, "k-1");
}

/// What Kafka's own clock says of an event, and when it happened.
class OldEvents : public Messages {
protected:
    void insert_made_at(const std::string& time, int events = 1) {
        database.value(fmt::format("INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, "
                                   "event_data, topic, created_at) SELECT gen_random_uuid(), 'user', 'u-' || "
                                   "n, 'user.created', '{{}}', $1, {} FROM generate_series(1, {}) AS n "
                                   "RETURNING id",
                                   time, events),
                       {topic});
    }
    static double minutes_old(const Message& message) {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        const auto now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
        return static_cast<double>(now_ms - message.timestamp_ms) / 60'000;
    }
    static constexpr double day = 24 * 60;
};

TEST_F(OldEvents, ThatTheTopicWouldDeleteAtItsNextCheckCarryTheTimeOfSending) {
    create_topic(topic, 1); // retention.ms is the broker's own, seven days
    insert_made_at("now() - interval '8 days'", 250);
    Process relay = start_relay();
    ASSERT_TRUE(wait_until([&] { return count("status = 'SENT'") == 250; }, 60s)) << relay.errors();
    const auto messages = read_topic(topic);
    EXPECT_EQ(messages.size(), 250U);
    for (const Message& message : messages) {
        EXPECT_LT(minutes_old(message), 1);
        EXPECT_LT(message.headers.at("ce_time"), database.value("SELECT (now() - interval '7 days')::text"));
    }
    const auto log = stop(relay).errors;
    EXPECT_EQ(lines_with("are older than their topic keeps records", log), 1);
    EXPECT_THAT(log, HasSubstr(fmt::format(R"("topic":"{}","events":250,)", topic)));
}

TEST_F(OldEvents, ThatTheTopicKeepsForADayMoreCarryTheirOwnTime) {
    create_topic(topic, 1);
    insert_made_at("now() - interval '5 days'");
    Process relay = start_relay();
    ASSERT_TRUE(wait_until([&] { return count("status = 'SENT'") == 1; }, 60s)) << relay.errors();
    EXPECT_NEAR(minutes_old(read_topic(topic).at(0)), 5 * day, 1);
    EXPECT_EQ(lines_with("are older than their topic keeps records", stop(relay).errors), 0);
}

TEST_F(OldEvents, CarryTheirOwnTimeWhereATopicDeletesNothingByAge) {
    create_topic(topic, 1, {{"retention.ms", "-1"}});
    insert_made_at("now() - interval '4000 days'");
    Process relay = start_relay();
    ASSERT_TRUE(wait_until([&] { return count("status = 'SENT'") == 1; }, 60s)) << relay.errors();
    EXPECT_NEAR(minutes_old(read_topic(topic).at(0)), 4000 * day, 1);
}

TEST_F(OldEvents, SurviveTheNextCheckOfAShortRetentionAndSayWhenTheyHappened) {
    const std::string other = topic + ".all";
    // The marker of a transaction, which is new, keeps old records alive until it stands in another segment.
    create_topic(other, 1, {{"segment.ms", "600000"}, {"retention.ms", "-1"}});
    create_topic(topic, 1, {{"segment.ms", "600000"}, {"retention.ms", "600000"}});
    insert_made_at("'-infinity'");
    insert_made_at("now() - interval '1 hour'");
    insert_made_at("'infinity'");
    Process relay = start_relay({{"RELAY_FORMAT", "raw"}});
    ASSERT_TRUE(wait_until([&] { return count("status = 'SENT'") == 3; }, 60s)) << relay.errors();
    const auto messages = read_topic(topic);
    ASSERT_EQ(messages.size(), 3U);
    for (const Message& message : messages) {
        EXPECT_LT(minutes_old(message), 1);
    }
    EXPECT_EQ(messages[0].headers, Variables{}) << "-infinity has no time to say";
    EXPECT_EQ(messages[1].headers.at("outbox-created-at"),
              database.value("SELECT to_char(created_at AT TIME ZONE 'UTC', "
                             "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM outbox_events WHERE "
                             "isfinite(created_at)"));
    database.value("INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, "
                   "topic, created_at) VALUES (gen_random_uuid(), 'user', 'u', 'user.created', '{}', $1, "
                   "now() - interval '1 hour') RETURNING id",
                   {other});
    ASSERT_TRUE(wait_until([&] { return count("status = 'SENT'") == 4; }, 60s)) << relay.errors();
    alter_topic(other, {{"segment.ms", "600000"}, {"retention.ms", "600000"}});
    ASSERT_TRUE(wait_until([&] { return first_offset_of(other, 0) == -1; }, 60s)) << "no check took place";
    EXPECT_EQ(read_topic(topic).size(), 3U);
}

TEST_F(Messages, InDebeziumsFormatKeyAndTopicFollowTheAggregate) {
    const auto message =
        sent_by({{"RELAY_FORMAT", "debezium"}, {"RELAY_TOPIC_TEMPLATE", "${topic}.${aggregate_type}"}},
                topic + ".user");
    EXPECT_EQ(message.headers, (Variables{{"id", database.value("SELECT id FROM outbox_events")},
                                          {"traceparent", "00-1-2-01"}}));
    EXPECT_EQ(message.key, "u-1");
    EXPECT_EQ(message.value, stored_data());
}

TEST_F(Messages, InRawFormatTheEventIsAlone) {
    const auto message =
        sent_by({{"RELAY_FORMAT", "raw"}, {"KAFKA_PRODUCER_COMPRESSION_TYPE", "zstd"}}, topic);
    EXPECT_EQ(message.headers, (Variables{{"traceparent", "00-1-2-01"}}));
    EXPECT_EQ(message.key, "k-1");
    EXPECT_EQ(message.value, stored_data());
    EXPECT_EQ(
        message.timestamp_ms,
        database.number("SELECT floor(extract(epoch FROM created_at) * 1000)::bigint FROM outbox_events"));
}

TEST_F(Messages, NumbersArriveAsPostgreSqlKeepsThemAndDecideThePartition) {
    create_topic(topic, 6);
    const Process relay = start_relay({{"RELAY_PARTITION_STRATEGY", "field:/user_id"}});
    const auto send = [&](const std::string& data, const std::string& headers) {
        const auto id = database.value("INSERT INTO outbox_events (id, aggregate_type, aggregate_id, "
                                       "event_type, event_data, topic, headers)"
                                       " VALUES (gen_random_uuid(), 'user', gen_random_uuid(), 'e', "
                                       "$1::jsonb, $2, $3::jsonb) RETURNING id",
                                       {data, topic, headers});
        EXPECT_TRUE(wait_sent(id, 60s)) << relay.errors();
        return database.number(fmt::format("SELECT kafka_partition FROM outbox_events WHERE id = '{}'", id));
    };
    const std::string headers =
        R"({"traceparent": "00-1-2-01", "n": 12345678901234567890123, "d": 0.1000, "big": 1e400, "Ce_Id": "x"})";
    const auto first = send(R"({"user_id": 12345678901234567890123, "amount": 1e400})", headers);
    const auto second = send(R"({"user_id": "12345678901234567890123"})", headers);
    EXPECT_EQ(first, second) << "the number goes where its text goes";
    for (const Message& message : read_topic(topic)) {
        EXPECT_EQ(message.headers.at("traceparent"), "00-1-2-01");
        EXPECT_EQ(message.headers.at("n"), "12345678901234567890123");
        EXPECT_EQ(message.headers.at("d"), "0.1000");
        EXPECT_EQ(message.headers.at("big"), "1" + std::string(400, '0'));
        EXPECT_EQ(message.headers.count("Ce_Id"), 0U);
    }
}

/// Of one event with a payload of bytes, and of one tombstone, in the order in which they were sent.
class Values : public Messages, public testing::WithParamInterface<const char*> {
protected:
    /// @param what  columns and their values
    std::string insert_value(const std::pair<std::string, std::string>& what, const std::string& to,
                             int max_retries = 3) {
        return database.value(fmt::format(
            "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic,"
            " max_retries, {}) VALUES (gen_random_uuid(), 'user', 'u-1', 'e', 'null', '{}', {}, {})"
            " RETURNING id",
            what.first, to, max_retries, what.second));
    }
    static bool is_structured() { return GetParam() == std::string("cloudevents-structured"); }
    static void expect_values(const std::vector<Message>& messages) {
        ASSERT_EQ(messages.size(), 2U);
        EXPECT_FALSE(messages[0].tombstone);
        if (is_structured()) {
            const auto envelope = nlohmann::json::parse(messages[0].value);
            EXPECT_EQ(envelope["data_base64"], "AAH/YXZybw==");
            EXPECT_EQ(envelope["datacontenttype"], "application/avro");
        } else {
            EXPECT_EQ(messages[0].value, std::string("\0\x01\xff", 3) + "avro");
            EXPECT_EQ(messages[0].headers.at("content-type"), "application/avro");
        }
        EXPECT_TRUE(messages[1].tombstone);
        EXPECT_EQ(messages[1].key, "u-1");
    }

    const std::vector<std::pair<std::string, std::string>> both{
        {"payload, content_type", R"('\x0001ff6176726f', 'application/avro')"}, {"tombstone", "true"}};
};

TEST_P(Values, BytesArriveAsTheyAreAndATombstoneWithoutAValueAlsoFromABackfillAndAmongDeadLetters) {
    create_topic(topic, 1);
    create_topic(topic + ".again", 1);
    create_topic(topic + ".dead", 1);
    const Variables format{{"RELAY_FORMAT", GetParam()}, {"RELAY_DEAD_LETTER_TOPIC", topic + ".dead"}};
    Process relay = start_relay(format);
    for (const auto& what : both) {
        ASSERT_TRUE(wait_sent(insert_value(what, topic), 60s)) << relay.errors();
    }
    expect_values(read_topic(topic));
    const auto replayed = support::run(
        {{support::program("outbox-backfill"), "--topic", topic + ".again", "--yes"}, environment(format)},
        60s);
    ASSERT_EQ(replayed.exit_code, 0) << replayed.errors;
    expect_values(read_topic(topic + ".again"));
    for (const auto& what : both) {
        const auto id = insert_value(what, "no name of a topic", 1);
        ASSERT_TRUE(wait_until([&] { return status(id) == "FAILED"; }, 60s)) << relay.errors();
    }
    expect_values(read_topic(topic + ".dead"));
    EXPECT_EQ(stop(relay).exit_code, 0);
    if (GetParam() == std::string("cloudevents")) {
        expect_exactly_once({"--wait", "60", "--allow-failed"});
    }
}

INSTANTIATE_TEST_SUITE_P(Formats, Values,
                         testing::Values("cloudevents", "cloudevents-structured", "debezium", "raw"),
                         [](const auto& format) {
                             std::string name = format.param;
                             std::erase(name, '-');
                             return name;
                         });

TEST_F(Messages, WhatOutboxAddIsGivenArrivesByteForByte) {
    create_topic(topic, 1);
    const auto add = [&](const std::string& value) {
        database.query(fmt::format("SELECT outbox_add('order', 'o-1', 'order.placed', topic => '{}', {})",
                                   topic, value));
    };
    add("payload => '\\x00ff5c0a', content_type => 'application/avro'");
    add("tombstone => true");
    add("data => '{\"n\": 12345678901234567890123}'");
    // Ten thousand headers, one that is null, and two of one name, of which jsonb keeps the last.
    add("data => '{}', headers => (SELECT jsonb_object_agg('h' || n, n) FROM generate_series(1, 10000) AS n)"
        " || '{\"none\": null, \"twice\": 1, \"twice\": \"2\"}'");
    insert({.key = ""});
    const Process relay = start_relay();
    ASSERT_TRUE(wait_until([&] { return count("status = 'SENT'") == 5; }, 60s)) << relay.errors();
    const auto messages = read_topic(topic);
    ASSERT_EQ(messages.size(), 5U);
    const auto all = [&](const auto& fits) { return std::count_if(messages.begin(), messages.end(), fits); };
    EXPECT_EQ(all([](const Message& each) {
                  return each.value == std::string("\0\xff\\\n", 4) &&
                         each.headers.at("content-type") == "application/avro";
              }),
              1);
    EXPECT_EQ(all([](const Message& each) { return each.tombstone && each.key == "o-1"; }), 1);
    EXPECT_EQ(all([](const Message& each) { return each.value == R"({"n": 12345678901234567890123})"; }), 1);
    EXPECT_EQ(all([](const Message& each) {
                  return each.headers.contains("h10000") && each.headers.at("twice") == "2" &&
                         !each.headers.contains("none") && each.headers.size() > 10'000;
              }),
              1);
    EXPECT_EQ(all([](const Message& each) { return each.key.empty(); }), 1);
}

TEST_F(Messages, ARowThatContradictsItselfIsRefusedAndOneThatWaitsKeepsItsValue) {
    const auto refused = [&](const std::string& sql) {
        try {
            database.query(sql);
            return false;
        } catch (const postgres::DatabaseError&) {
            return true;
        }
    };
    const std::string insert =
        "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, topic,"
        " event_data, tombstone, payload, content_type) VALUES (gen_random_uuid(), 'a', 'b',"
        " 'c', 'd', ";
    EXPECT_TRUE(refused(insert + "'{}', true, NULL, NULL)"));
    EXPECT_TRUE(refused(insert + "'null', true, '', NULL)"));
    EXPECT_TRUE(refused(insert + "'{}', NULL, '', NULL)"));
    EXPECT_TRUE(refused(insert + "'{}', NULL, NULL, 'a/b')"));
    EXPECT_FALSE(refused(insert + "'null', false, '', 'a/b')"));
    EXPECT_FALSE(refused(insert + "'null', NULL, NULL, NULL)")) << "the JSON null";
    EXPECT_TRUE(refused("UPDATE outbox_events SET payload = 'other'"));
    EXPECT_TRUE(refused("UPDATE outbox_events SET payload = NULL, content_type = NULL, tombstone = true"));
}

TEST_F(Messages, RoundRobinIsEvenAcrossRestartsAndTheLogSaysWhatItBreaks) {
    create_topic(topic, 6);
    for (int round = 1; round <= 3; ++round) {
        Process relay = start_relay({{"RELAY_PARTITION_STRATEGY", "round-robin"}});
        for (int i = 0; i < 20; ++i) {
            insert({.key = "one"});
        }
        ASSERT_TRUE(wait_until([&] { return count("status = 'SENT'") == 20L * round; }, 60s))
            << relay.errors();
        EXPECT_THAT(relay.errors(), HasSubstr("order per key is not kept by the partition strategy"));
        EXPECT_EQ(stop(relay).exit_code, 0);
    }
    const auto counts = spread();
    EXPECT_EQ(counts.size(), 6U);
    for (const auto& [partition, events] : counts) {
        EXPECT_NEAR(events, 10, 2) << partition;
    }
}

TEST_F(Messages, NewPartitionsAreUsedWithinTheMetadataIntervalAndNoAttemptIsSpent) {
    create_topic(topic, 1);
    const Process relay = start_relay({{"RELAY_PARTITION_STRATEGY", "round-robin"},
                                       {"KAFKA_PRODUCER_TOPIC_METADATA_REFRESH_INTERVAL_MS", "1000"}});
    ASSERT_TRUE(wait_sent(insert({.key = "before"}), 60s)) << relay.errors();
    add_partitions(topic, 4);
    const auto used = [&] {
        const auto id = insert({.key = "after"});
        return wait_sent(id, 30s) && count("kafka_partition > 0") > 0;
    };
    EXPECT_TRUE(wait_until(used, 60s)) << relay.errors();
    EXPECT_EQ(count("retry_count > 0"), 0) << relay.errors();
}

TEST_F(Messages, AFileSetsStrategiesByEventTypeAndIsTheWeakestSource) {
    create_topic(topic, 6);
    const auto file = std::filesystem::temp_directory_path() / (database.name() + ".toml");
    std::ofstream(file) << "[relay]\nformat = 'raw'\npartition_strategy = 'round-robin'\n"
                           "[kafka.producer]\nlinger.ms = 5\n"
                           "[partition_strategies]\n'user.created' = 'field:/home'\n";
    auto variables = environment({{"RELAY_PARTITION_STRATEGY", "hash"}});
    const Process relay(
        {{support::program("outbox-relay"), "-config", file.string(), "--relay-shards", "2"}, variables});
    for (int i = 0; i < 20; ++i) {
        insert({.key = fmt::format("k{}", i), .data = R"({"home":"all the same"})"});
    }
    ASSERT_TRUE(wait_until([&] { return count("status = 'SENT'") == 20; }, 60s)) << relay.errors();
    EXPECT_EQ(spread().size(), 1U) << relay.errors();
    EXPECT_THAT(read_topic(topic).front().headers, IsEmpty());
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_shards"), 2);
    std::filesystem::remove(file);
}

TEST_F(Messages, WhatWouldBreakTheGuaranteeEndsTheProgramWithExitCode2AndItsName) {
    const std::vector<std::pair<Variables, std::string>> refused{
        {{{"KAFKA_PRODUCER_ACKS", "1"}}, "KAFKA_PRODUCER_ACKS=1 is refused: "},
        {{{"KAFKA_PRODUCER_ENABLE_IDEMPOTENCE", "false"}},
         "KAFKA_PRODUCER_ENABLE_IDEMPOTENCE=false is refused: "},
        {{{"KAFKA_PRODUCER_TRANSACTIONAL_ID", "x"}}, "KAFKA_PRODUCER_TRANSACTIONAL_ID=x is refused: "},
        {{{"RELAY_PARTITION_STRATEGY", "random"}}, "RELAY_PARTITION_STRATEGY=random is not allowed: "},
        {{{"RELAY_TOPIC_TEMPLATE", "${id}"}}, "RELAY_TOPIC_TEMPLATE=${id} is not allowed: "},
        {{{"RELAY_FORMAT", "avro"}}, "RELAY_FORMAT=avro is not allowed: "}};
    for (const auto& [changes, message] : refused) {
        const auto outcome = support::run({{support::program("outbox-relay")}, environment(changes)});
        EXPECT_EQ(outcome.exit_code, 2);
        EXPECT_THAT(outcome.errors, HasSubstr("outbox-relay: " + message));
    }
}

} // namespace
} // namespace outbox::relays
