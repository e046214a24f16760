// What a message holds, where it goes, and how producers are set up.

#include "fixture.hpp"

#include <outbox/support/environment.hpp>

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
