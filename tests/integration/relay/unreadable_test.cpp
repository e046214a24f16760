// Events that the server cannot hand out.
#include <outbox/support/relays.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>

namespace outbox::relays {
namespace {

using testing::HasSubstr;

/// The test's database in another encoding.
class Unreadable : public Relays {
protected:
    void recreate(const std::string& encoding) {
        support::on_server("DROP DATABASE " + database.name());
        support::on_server(
            fmt::format("CREATE DATABASE {} ENCODING '{}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE "
                        "template0",
                        database.name(), encoding));
        database.migrate({"up"});
    }
    /// @param bytes  hex, stand in the event's data as they are
    std::string insert_bytes(const std::string& key, const std::string& bytes, const std::string& encoding) {
        return database.value(
            fmt::format("INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, "
                        "event_data, topic) VALUES"
                        " (gen_random_uuid(), 'user', {0}, 'user.created', ('{{\"name\":\"' ||"
                        " convert_from('\\x{1}'::bytea, '{2}') || '\"}}')::jsonb, '{3}') RETURNING id",
                        key, bytes, encoding, topic));
    }
    void expect_failed(const std::string& id, const std::string& why) {
        EXPECT_TRUE(wait_until([&] { return status(id) == "FAILED"; }, 20s)) << status(id);
        EXPECT_THAT(database.value("SELECT error_message FROM outbox_events WHERE id = $1", {id}),
                    HasSubstr(why));
    }
};

TEST_F(Unreadable, ARowWithoutAFormInUtf8AloneIsFailedAndTheOthersGo) {
    recreate("SQL_ASCII");
    std::string bad[2];
    for (int i = 0; i < 300; ++i) {
        if (i == 100 || i == 101) {
            bad[i - 100] = insert_bytes("'a'", "e9", "SQL_ASCII");
        }
        insert({.key = i % 2 == 0 ? "a" : "b"});
    }
    Process relay = ready_relay();
    EXPECT_TRUE(wait_until([&] { return count("status = 'SENT'") == 300; }, 30s)) << relay.errors();
    for (const auto& id : bad) {
        expect_failed(id, "its event_data cannot be read: invalid byte sequence");
    }
    EXPECT_EQ(relay.count(Signal("recovers")), 0) << relay.errors();
    const auto late = insert_bytes("'b'", "e9", "SQL_ASCII");
    expect_failed(late, "event_data");
    EXPECT_TRUE(wait_sent(insert({.key = "b"}))) << relay.errors();
    EXPECT_EQ(read_topic(topic).size(), 301U);
}

TEST_F(Unreadable, ACharacterThatUtf8DoesNotHaveIsToldFromOneThatItHas) {
    recreate("WIN1252");
    const auto good = insert_bytes("'a'", "e9", "WIN1252");
    const auto bad = insert_bytes("'a'", "81", "WIN1252");
    const Process relay = ready_relay();
    EXPECT_TRUE(wait_sent(good)) << relay.errors();
    expect_failed(bad, "has no equivalent in encoding");
    EXPECT_EQ(read_topic(topic).front().value, "{\"name\": \"\u00e9\"}");
}

TEST_F(Unreadable, AKeyOfSuchBytesWaitsForAnOperatorAndGoesOn) {
    recreate("SQL_ASCII");
    const auto first = insert_bytes("convert_from('\\x6be9'::bytea, 'SQL_ASCII')", "41", "SQL_ASCII");
    const auto second = insert_bytes("convert_from('\\x6be9'::bytea, 'SQL_ASCII')", "42", "SQL_ASCII");
    const Process relay = ready_relay({{"RELAY_ON_FAILED", "block-key"}});
    expect_failed(first, "its aggregate_id cannot be read");
    ASSERT_EQ(status(first), "FAILED") << relay.errors();
    EXPECT_EQ(status(second), "NEW");
    database.query("UPDATE outbox_events SET status = 'SKIPPED' WHERE id = $1", {first});
    expect_failed(second, "its aggregate_id cannot be read");
    EXPECT_TRUE(wait_sent(insert({.key = "b"}))) << relay.errors();
    EXPECT_EQ(relay.count(Signal("recovers")), 0) << relay.errors();
}

TEST_F(Unreadable, DamagedTextFailsItsEventAloneWhicheverColumnItStandsIn) {
    // Bytes that are no text, as a damaged disk leaves them; the server hands them out as they are.
    database.query("CREATE CAST (bytea AS varchar) WITHOUT FUNCTION");
    database.query("ALTER TABLE outbox_events DISABLE TRIGGER outbox_refuse_change");
    std::vector<std::pair<std::string, std::string>> bad;
    const auto damage = [&](const std::string& column, const std::string& bytes, const std::string& why) {
        const auto id = insert({.key = "k" + std::to_string(bad.size())});
        database.query(fmt::format("UPDATE outbox_events SET {} = '\\x{}'::bytea::varchar WHERE id = '{}'",
                                   column, bytes, id));
        bad.emplace_back(id, why);
    };
    for (const std::string column :
         {"topic", "aggregate_id", "partition_key", "aggregate_type", "event_type"}) {
        for (const char* bytes : {"ff41", "410042", "c3", "eda080"}) {
            damage(column, bytes, "its " + column + " cannot be read: it holds bytes that are no UTF-8 text");
        }
    }
    const std::string long_name = [] {
        std::string hex;
        for (int i = 0; i < 255; ++i) {
            hex += "61";
        }
        return hex;
    }();
    for (const std::string& bytes : {std::string(), std::string("2e"), std::string("0a1b5b"), long_name}) {
        damage("topic", bytes, "is not a topic name");
    }
    database.query("ALTER TABLE outbox_events ENABLE TRIGGER outbox_refuse_change");
    std::vector<std::string> good;
    for (int i = 0; i < 30; ++i) {
        good.push_back(insert({.key = "k" + std::to_string(i)}));
    }
    const Process relay =
        ready_relay({{"RELAY_ON_FAILED", "block-key"}, {"RELAY_DEAD_LETTER_TOPIC", topic + ".dead"}});
    for (const auto& [id, why] : bad) {
        expect_failed(id, why);
    }
    EXPECT_TRUE(wait_sent(good.back())) << relay.errors();
    EXPECT_EQ(read_topic(topic + ".dead").size(), bad.size());
    database.query("UPDATE outbox_events SET status = 'SKIPPED' WHERE status = 'FAILED'");
    for (const auto& id : good) {
        EXPECT_TRUE(wait_sent(id)) << relay.errors();
    }
    EXPECT_EQ(relay.count(Signal("recovers")), 0) << relay.errors();
}

TEST_F(Unreadable, ManyLargeEventsTakeNeitherTheMemoryNorTheTimeOfAllTogether) {
    database.query("CREATE TABLE noise AS SELECT string_agg(gen_random_uuid()::text, '') AS text FROM "
                   "generate_series(1, 30000)");
    const auto large = [&](int from, int to) {
        return fmt::format(
            "INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, event_data, topic)"
            " SELECT 'user', 'large', 'user.created', jsonb_build_object('n', n, 'text', text), '{}'"
            " FROM noise, generate_series({}, {}) AS n",
            topic, from, to);
    };
    create_topic(topic, 1, {{"max.message.bytes", "2000000"}});
    database.query(
        "ALTER TABLE outbox_events ALTER COLUMN event_data SET STORAGE EXTERNAL"); // what is random anyway
    for (int from = 1; from <= 90; from += 10) {
        database.query(large(from, from + 9)); // of 1,080,000 bytes
    }
    const auto last = insert({.key = "large"});
    const Process relay = ready_relay({{"RELAY_SHARDS", "1"}});
    EXPECT_TRUE(wait_sent(last, 90s)) << relay.errors();
    EXPECT_EQ(count("status = 'SENT'"), 91);
    EXPECT_EQ(relay.count(Signal("recovers")), 0) << relay.errors();
    std::ifstream status("/proc/" + std::to_string(relay.id()) + "/status");
    const std::string text{std::istreambuf_iterator<char>(status), {}};
    const auto peak = text.find("VmHWM:");
    ASSERT_NE(peak, std::string::npos);
    EXPECT_LT(std::stol(text.substr(peak + 6)), 120'000) << "kB, of 97,200 kB that the events take";
    const auto messages = read_topic(topic);
    ASSERT_EQ(messages.size(), 91U);
    for (int n = 1; n <= 90; ++n) {
        EXPECT_THAT(messages[static_cast<std::size_t>(n - 1)].value.substr(0, 12),
                    testing::StartsWith(fmt::format("{{\"n\": {},", n)));
    }
}

TEST_F(Unreadable, AnEventOfMoreTextThanTheServerHandsOutIsFailedAlone) {
    // Of little that is kept a gigabyte of text.
    const auto huge = database.value(fmt::format(
        "INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, event_data, topic) SELECT "
        "'user', 'a',"
        " 'user.created', jsonb_agg('1e131000'::jsonb), '{}' FROM generate_series(1, 9000) RETURNING id",
        topic));
    for (int i = 0; i < 50; ++i) {
        insert({.key = i % 2 == 0 ? "a" : "b"});
    }
    const Process relay = ready_relay({{"RELAY_SHARDS", "1"}});
    EXPECT_TRUE(wait_until([&] { return count("status = 'SENT'") == 50; }, 300s)) << relay.errors();
    expect_failed(huge, "cannot be read: ");
    EXPECT_TRUE(wait_sent(insert({.key = "a"}))) << relay.errors();
}

TEST_F(Unreadable, AnEventThatBrokersHangUpOnSpendsItsAttemptsAloneAndTheOthersGo) {
    // More than socket.request.max.bytes, which no topic's limit is compared with.
    create_topic(topic, 1, {{"max.message.bytes", "300000000"}});
    const auto large = database.value(fmt::format(
        "INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, event_data, payload, topic)"
        " VALUES ('user', 'a', 'user.created', 'null', convert_to(repeat('x', 110000000), 'UTF8'), '{}')"
        " RETURNING id",
        topic));
    insert({.key = "a"});
    insert({.key = "b"});
    const Process relay = ready_relay({{"RELAY_SHARDS", "1"}, {"RELAY_MAX_RETRIES", "2"}});
    EXPECT_TRUE(wait_until([&] { return count("status = 'SENT'") == 2; }, 120s)) << relay.errors();
    expect_failed(large, "socket.request.max.bytes");
}

TEST_F(Unreadable, DamagedContentIsFoundThoughItEndsTheSession) {
    // Bytes that are no jsonb, as a damaged disk leaves them.
    database.query("CREATE CAST (bytea AS jsonb) WITHOUT FUNCTION");
    const auto bad = insert({.key = "a"});
    database.query("ALTER TABLE outbox_events DISABLE TRIGGER outbox_refuse_change");
    database.query("UPDATE outbox_events SET event_data = '\\x00000000'::bytea::jsonb");
    database.query("ALTER TABLE outbox_events ENABLE TRIGGER outbox_refuse_change");
    const auto good = insert({.key = "b"});
    const Process relay = ready_relay();
    EXPECT_TRUE(wait_sent(good)) << relay.errors();
    expect_failed(bad, "its event_data cannot be read: unknown type of jsonb container");
    EXPECT_LE(lines_with("shard recovers", relay.errors()), 2) << relay.errors();
}

} // namespace
} // namespace outbox::relays
