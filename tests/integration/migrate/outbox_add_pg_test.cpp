// For writers in any language: outbox_add(), and the bucket without md5.

#include "fixture.hpp"

#include <gmock/gmock.h>

namespace outbox::migrations {
namespace {

using testing::HasSubstr;

std::string add(const std::string& arguments) {
    return "SELECT outbox_add(" + arguments + ")";
}

class OutboxAdd : public testing::Test {
protected:
    std::string why_not(const std::string& arguments) {
        try {
            database_.query(add(arguments));
        } catch (const postgres::DatabaseError& error) {
            EXPECT_EQ(error.sqlstate(), "22023") << arguments;
            return error.what();
        }
        return "it was accepted";
    }

    TestDatabase database_;
};

TEST_F(OutboxAdd, ReturnsTheIdOfTheEventThatItWrote) {
    const auto id = database_.value(add("'order', 'o-1', 'order.placed', '{\"n\": 1}', 'orders'"));
    EXPECT_EQ(
        database_.query("SELECT id, aggregate_type, aggregate_id, event_type, event_data, topic, status, "
                        "partition_key, headers FROM outbox_events"),
        (Rows{{id, "order", "o-1", "order.placed", R"({"n": 1})", "orders", "NEW", "NULL", "NULL"}}));
    const auto given = database_.value(add("'order', 'o-1', 'order.placed', 'null', 'orders', partition_key "
                                           "=> 'k', headers => '{\"a\": \"b\"}', "
                                           "id => '00000000-0000-4000-8000-000000000001', max_retries => 7"));
    EXPECT_EQ(given, "00000000-0000-4000-8000-000000000001");
    EXPECT_EQ(database_.query("SELECT partition_key, headers, max_retries FROM outbox_events WHERE id = '" +
                              given + "'"),
              (Rows{{"k", R"({"a": "b"})", "7"}}));
}

TEST_F(OutboxAdd, RefusesWhatCouldNotBeSentAndNamesIt) {
    const std::string rest = "'order', 'o-1', 'order.placed', '{}', ";
    EXPECT_THAT(why_not("NULL, 'o-1', 't', '{}', 'orders'"), HasSubstr("aggregate_type is NULL"));
    EXPECT_THAT(why_not("'order', '', 't', '{}', 'orders'"), HasSubstr("aggregate_id is empty"));
    EXPECT_THAT(why_not("'order', 'o', repeat('t', 256), '{}', 'orders'"),
                HasSubstr("event_type has more than 255 characters"));
    EXPECT_THAT(why_not("'order', 'o', 't', NULL, 'orders'"), HasSubstr("data is NULL"));
    for (const char* topic : {"'a topic'", "'.'", "'..'", "'a/b'", "repeat('t', 250)", "''"}) {
        EXPECT_THAT(why_not(rest + topic), HasSubstr("topic")) << topic;
    }
    EXPECT_THAT(why_not(rest + "'orders', ''"), HasSubstr("partition_key is empty"));
    EXPECT_THAT(why_not(rest + "'orders', headers => '[]'"), HasSubstr("headers is no JSON object"));
    EXPECT_THAT(why_not(rest + "'orders', headers => '{\"\": \"a\"}'"),
                HasSubstr("headers has an empty name"));
    EXPECT_THAT(why_not(rest + "'orders', max_retries => -1"), HasSubstr("max_retries is negative"));
    EXPECT_EQ(database_.number("SELECT count(*) FROM outbox_events"), 0);
}

TEST_F(OutboxAdd, TakesBytesAndTombstonesAndRefusesWhatContradictsItself) {
    const std::string named = "'order', 'o-1', 'order.placed', topic => 'orders', ";
    database_.query(add(named + "payload => '\\x00ff', content_type => 'application/avro; v=1'"));
    database_.query(add("'order', 'o-1', 'order.placed', NULL, 'orders', payload => ''"));
    database_.query(add(named + "tombstone => true"));
    database_.query(add(named + "tombstone => false, data => '[12345678901234567890123, 1e400]'"));
    EXPECT_EQ(database_.query("SELECT left(event_data::text, 25), payload, content_type, tombstone FROM "
                              "outbox_events ORDER BY seq"),
              (Rows{{"null", "\\x00ff", "application/avro; v=1", "NULL"},
                    {"null", "\\x", "NULL", "NULL"},
                    {"null", "NULL", "NULL", "t"},
                    {"[12345678901234567890123,", "NULL", "NULL", "NULL"}}));
    EXPECT_THAT(why_not(named + "tombstone => false"), HasSubstr("data is NULL"));
    EXPECT_THAT(why_not("'order', 'o-1', 'order.placed', '{}'"), HasSubstr("topic is NULL"));
    EXPECT_THAT(why_not(named + "data => '1', payload => '1'"), HasSubstr("data and payload are both given"));
    EXPECT_THAT(why_not(named + "data => '1', content_type => 'a/b'"),
                HasSubstr("content_type is given without payload"));
    for (const char* value : {"data => 'null'", "payload => ''", "content_type => 'a/b'"}) {
        EXPECT_THAT(why_not(named + "tombstone => true, " + value), HasSubstr("tombstone is true, and"))
            << value;
    }
    for (const char* type : {"'avro'", "'/b'", "'a/'", "'a/;v=1'", "E'a/b\\n'", "'a/\u00fc'", "''",
                             "'a/' || repeat('b', 254)"}) {
        EXPECT_THAT(why_not(named + "payload => '', content_type => " + type), HasSubstr("content_type "))
            << type;
    }
}

TEST_F(OutboxAdd, ThatViewsStandOnAndThatNotEverybodyMayCallStaysSoWhenItLearnsMore) {
    ASSERT_EQ(migrate(database_, {"down", "--yes"}).exit_code, 0);
    database_.query("CREATE VIEW placed AS SELECT " +
                    add("'order', 'o-1', 'order.placed', '{}', 'orders'").substr(7) + " AS id");
    database_.query("REVOKE EXECUTE ON FUNCTION outbox_add FROM PUBLIC");
    database_.query("GRANT EXECUTE ON FUNCTION outbox_add TO pg_monitor");
    const auto up = migrate(database_, {"up"});
    ASSERT_EQ(up.exit_code, 0) << up.errors;
    EXPECT_EQ(database_.query("SELECT id IS NOT NULL FROM placed"), (Rows{{"t"}}));
    EXPECT_EQ(database_.value("SELECT proacl FROM pg_proc WHERE proname = 'outbox_add'"),
              "{postgres=X/postgres,pg_monitor=X/postgres}");
    const auto down = migrate(database_, {"down", "--yes"});
    ASSERT_EQ(down.exit_code, 0) << down.errors;
    EXPECT_EQ(database_.query("SELECT id IS NOT NULL FROM placed"), (Rows{{"t"}}));
    EXPECT_EQ(database_.number("SELECT count(*) FROM pg_proc WHERE proname ~ '^outbox_(add|insert|check)'"),
              3);
}

TEST_F(OutboxAdd, AnIdHasADefault) {
    EXPECT_EQ(database_.query(
                  "INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, event_data, topic) "
                  "VALUES ('a', 'b', 'c', '{}', 'd') RETURNING id IS NOT NULL, seq"),
              (Rows{{"t", "1"}}));
}

/// A server in FIPS mode, as far as SQL can tell. Of a built-in function only what the planner inlines can be
/// another, and it must not fail before it is called.
constexpr auto refuse_md5 = "CREATE OR REPLACE FUNCTION pg_catalog.md5(text) RETURNS text LANGUAGE sql "
                            "IMMUTABLE STRICT PARALLEL SAFE AS"
                            " $$ SELECT (1 / (length($1) - length($1)))::text $$";

constexpr auto published_table =
    "CREATE TABLE outbox_events (id UUID PRIMARY KEY, aggregate_type VARCHAR(255) NOT NULL,"
    " aggregate_id VARCHAR(255) NOT NULL, event_type VARCHAR(255) NOT NULL, event_data JSONB NOT NULL, "
    "status VARCHAR(50)"
    " DEFAULT 'NEW', topic VARCHAR(255) NOT NULL, partition_key VARCHAR(255), created_at TIMESTAMPTZ, "
    "processed_at"
    " TIMESTAMPTZ, retry_count INTEGER DEFAULT 0, max_retries INTEGER DEFAULT 3, error_message TEXT); INSERT "
    "INTO"
    " outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic) SELECT "
    "gen_random_uuid(), 'a',"
    " i::text, 't', '{}', 'topic' FROM generate_series(1, 100) AS i";

TEST(Fips, ANewOutboxNeedsNoMd5) {
    TestDatabase database(TestDatabase::Start::empty);
    database.query(refuse_md5);
    const auto up = migrate(database, {"up"});
    ASSERT_EQ(up.exit_code, 0) << up.errors;
    EXPECT_EQ(state_of(database, add("'order', 'o-1', 'order.placed', '{}', 'orders'")), "accepted");
}

TEST(Fips, AnOutboxOfMd5GetsOtherBucketsWhenItsServerRefusesIt) {
    TestDatabase database(TestDatabase::Start::empty);
    database.query(published_table);
    ASSERT_EQ(migrate(database, {"up"}).exit_code, 0);
    constexpr auto strangers =
        "SELECT count(*) FROM outbox_events WHERE bucket <> outbox_bucket(aggregate_id)";
    EXPECT_EQ(
        database.value("SELECT pg_get_expr(adbin, adrelid) LIKE '%md5%' FROM pg_attrdef JOIN pg_attribute ON "
                       "attrelid = adrelid AND attnum = adnum WHERE attrelid = 'outbox_events'::regclass AND "
                       "attname = 'bucket'"),
        "t")
        << "an outbox with events keeps its buckets";
    EXPECT_EQ(database.number(strangers), 0);
    database.query("INSERT INTO outbox_blocked_keys (bucket, key) SELECT bucket, aggregate_id FROM "
                   "outbox_events LIMIT 5");
    database.query(refuse_md5);
    EXPECT_NE(state_of(database, add("'order', 'o-1', 'order.placed', '{}', 'orders'")), "accepted");
    const auto up = migrate(database, {"up"});
    EXPECT_EQ(up.exit_code, 0) << up.errors;
    EXPECT_THAT(up.errors, HasSubstr("the server refuses md5 (FIPS)"));
    EXPECT_EQ(state_of(database, add("'order', 'o-1', 'order.placed', '{}', 'orders'")), "accepted");
    EXPECT_EQ(database.number(strangers), 0);
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_blocked_keys WHERE bucket <> outbox_bucket(key)"),
              0);
    EXPECT_EQ(database.number("SELECT count(*) FROM pg_index WHERE indrelid = 'outbox_events'::regclass"), 6);
}

TEST(Fips, RowsThatWouldBeAdoptedAreRefusedBeforeAnythingIsChanged) {
    TestDatabase database(TestDatabase::Start::empty);
    database.query(published_table);
    database.query(refuse_md5);
    const auto up = migrate(database, {"up"});
    EXPECT_EQ(up.exit_code, 1);
    EXPECT_THAT(up.errors, HasSubstr("the server refuses md5 (FIPS)"));
    EXPECT_EQ(database.value("SELECT to_regclass('outbox_migrations')"), "NULL");
}

} // namespace
} // namespace outbox::migrations
