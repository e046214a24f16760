// Events that the server cannot hand out.
#include "fixture.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

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
    EXPECT_EQ(lines_with("shard recovers", relay.errors()), 0) << relay.errors();
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
    EXPECT_EQ(lines_with("shard recovers", relay.errors()), 0) << relay.errors();
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
