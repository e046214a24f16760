// From a committed row to a record: who may write it, in what order, and how soon.

#include <outbox/support/relays.hpp>
#include <outbox/support/topics.hpp>

#include <fmt/format.h>

namespace outbox::relays {
namespace {

using Delivery = Relays;

TEST_F(Delivery, RowsWithOnlyThePublishedColumnsArrive) {
    const Process relay = ready_relay();
    const auto columns = "(id, aggregate_type, aggregate_id, event_type, event_data, status, topic, "
                         "partition_key, created_at, processed_at, retry_count, max_retries, error_message)";
    database.query(fmt::format("INSERT INTO outbox_events {} VALUES (gen_random_uuid(), 'user', 'a', "
                               "'user.created', '{{}}', NULL, '{}', NULL, NULL, NULL, NULL, NULL, NULL)",
                               columns, topic));
    database.query(fmt::format("INSERT INTO outbox_events {} VALUES (gen_random_uuid(), 'user', 'b', "
                               "'user.created', '{{}}', 'NEW', '{}', 'k', now(), NULL, 0, 3, NULL)",
                               columns, topic));
    insert({.key = "c"});
    EXPECT_TRUE(wait_until([&] { return count("status = 'SENT'") == 3; }, 30s)) << relay.errors();
    expect_exactly_once();
    EXPECT_EQ(read_topic(topic).size(), 3U);
}

TEST_F(Delivery, RowsCommittedOutOfSeqOrderAllArrive) {
    const Process relay = ready_relay();
    auto early = database.connect();
    auto late = database.connect();
    script(early, "BEGIN; " + insert_sql({.key = "same"}) + "; " + insert_sql({.key = "early"}));
    script(late, insert_sql({.key = "late"}) + "; " + insert_sql({.key = "early"}));
    EXPECT_TRUE(wait_until([&] { return count("status = 'SENT'") == 2; }, 30s)) << relay.errors();
    script(early, "COMMIT");
    EXPECT_TRUE(wait_until([&] { return count("status = 'SENT'") == 4; }, 30s)) << relay.errors();
    // Key "early" was written without a lock on its aggregate, so only its number is promised, not its order.
    EXPECT_EQ(read_topic(topic).size(), 4U);
}

TEST_F(Delivery, ATransactionOpenFor15SecondsHoldsUpNobodyElse) {
    const Process relay = ready_relay();
    auto slow = database.connect();
    script(slow, "BEGIN; " + insert_sql({.key = "slow"}));
    const Deadline open = Deadline::in(15s);
    for (int i = 0; !open.passed(); ++i) {
        const auto id = insert({.key = fmt::format("k{}", i % 7)});
        ASSERT_TRUE(wait_sent(id, 3s)) << relay.errors();
        stay_quiet(300ms);
    }
    EXPECT_EQ(count("aggregate_id = 'slow'"), 0);
    script(slow, "COMMIT");
    EXPECT_TRUE(wait_until([&] { return count("aggregate_id = 'slow' AND status = 'SENT'") == 1; }, 3s));
    expect_exactly_once();
}

TEST_F(Delivery, ARepeatableReadWriterWakesASleepingRelay) {
    const Process relay = ready_relay();
    auto writer = database.connect();
    script(writer, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM outbox_events");
    stay_quiet(3s); // the relay falls asleep after this snapshot was taken
    script(writer, insert_sql({.key = "a"}) + "; COMMIT");
    EXPECT_LT(time_until([&] { return count("status = 'SENT'") == 1; }, 10s), 2s * slowness)
        << relay.errors();
    expect_exactly_once();
}

TEST_F(Delivery, ARolledBackTransactionDeliversNothing) {
    const Process relay = ready_relay();
    auto writer = database.connect();
    script(writer, "BEGIN; " + insert_sql({.key = "never", .data = R"({"rolled":"back"})"}) + "; ROLLBACK");
    EXPECT_TRUE(wait_sent(insert({.key = "never"}))) << relay.errors();
    const auto messages = read_topic(topic);
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_EQ(messages.front().value, "{}");
    expect_exactly_once();
}

TEST_F(Delivery, AMessageCarriesKeyTimestampAndCloudEventsHeaders) {
    create_topic(topic, 6, {{"retention.ms", "-1"}}); // keeps old events, so they carry their own time
    const Process relay = ready_relay({{"OUTBOX_SOURCE", "/here"}});
    const auto id = database.value(
        fmt::format("INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, "
                    "topic, partition_key, created_at, headers) VALUES (gen_random_uuid(), 'user', 'u-1', "
                    "'user.updated', '{{\"n\": 7}}', '{}', 'k-1', '2026-01-02 03:04:05.678901+00', "
                    "'{{\"traceparent\": \"00-1-2-01\", \"ce_id\": \"stolen\"}}') RETURNING id",
                    topic));
    ASSERT_TRUE(wait_sent(id)) << relay.errors();
    const auto messages = read_topic(topic);
    ASSERT_EQ(messages.size(), 1U);
    const Message& message = messages.front();
    EXPECT_EQ(message.key, "k-1");
    EXPECT_EQ(message.value, R"({"n": 7})");
    EXPECT_EQ(message.timestamp_ms, 1'767'323'045'678);
    const Variables wanted{{"ce_specversion", "1.0"},
                           {"ce_id", id},
                           {"ce_source", "/here"},
                           {"ce_type", "user.updated"},
                           {"ce_time", "2026-01-02T03:04:05.678901Z"},
                           {"ce_subject", "u-1"},
                           {"ce_partitionkey", "k-1"},
                           {"content-type", "application/json"},
                           {"traceparent", "00-1-2-01"}};
    EXPECT_EQ(message.headers, wanted);
    EXPECT_EQ(database.number("SELECT kafka_partition FROM outbox_events"), message.partition);
    EXPECT_EQ(database.number("SELECT kafka_offset FROM outbox_events"), message.offset);
    expect_exactly_once(); // the partition is the Java client's, which outbox-check computes by itself
}

TEST_F(Delivery, AnOutboxWithoutANameIsCalledAsItsDatabase) {
    const Process relay = ready_relay({{"OUTBOX_NAME", ""}});
    ASSERT_TRUE(wait_sent(insert({.key = "a"}))) << relay.errors();
    EXPECT_EQ(support::shape_of("outbox." + database.name() + ".control").partitions, shards);
    EXPECT_EQ(read_topic(topic).at(0).headers.at("ce_source"), "/outbox/" + database.name());
}

TEST_F(Delivery, AMissingTopicIsMadeWithThePartitionsAskedFor) {
    const Process relay = ready_relay({{"KAFKA_TOPIC_PARTITIONS", "4"}});
    ASSERT_TRUE(wait_sent(insert({.key = "a"}))) << relay.errors();
    EXPECT_EQ(support::shape_of(topic).partitions, 4);
    expect_exactly_once();
}

TEST_F(Delivery, AnInsertAfter20SecondsOfQuietArrivesWithin250Milliseconds) {
    const Process relay = ready_relay({{"RELAY_POLL_INTERVAL", "5"}});
    ASSERT_TRUE(wait_sent(insert({.key = "first"}))) << relay.errors(); // creates the topic
    stay_quiet(20s);
    const auto id = insert({.key = "second"});
    const auto took = time_until([&] { return sent(id); }, 10s);
    RecordProperty("milliseconds", std::to_string(took.count()));
    EXPECT_LT(took, 250ms * slowness) << relay.errors();
    expect_exactly_once();
}

TEST_F(Delivery, AnIdleRelayIssuesFewStatementsAndHoldsNoSnapshot) {
    const Process relay = ready_relay({{"RELAY_SHARDS", "8"}});
    ASSERT_TRUE(wait_sent(insert({.key = "first"}))) << relay.errors();
    stay_quiet(5s);
    const Activity activity = watch_relays(30s); // so long that where its ends fall does not matter
    RecordProperty("statements_in_30_s", std::to_string(activity.statements));
    EXPECT_GE(activity.statements, 30) << "the heartbeat alone is more";
    EXPECT_LE(activity.statements, 120) << testing::PrintToString(activity.by_text);
    EXPECT_LE(activity.with_snapshot, activity.samples / 10) << "a statement may be met in passing, not more";
}

TEST_F(Delivery, WhatAWriterCommitsAsynchronouslyArrives) {
    const Process relay = ready_relay();
    auto writer = database.connect();
    script(writer, "SET synchronous_commit = off");
    for (int i = 0; i < 200; ++i) {
        script(writer, insert_sql({.key = fmt::format("k{}", i % 10)}));
    }
    EXPECT_TRUE(wait_until([&] { return count("status = 'SENT'") == 200; }, 30s)) << relay.errors();
    expect_exactly_once();
}

} // namespace
} // namespace outbox::relays
