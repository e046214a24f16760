#include "fixture.hpp"

#include <gmock/gmock.h>

namespace outbox::migrations {
namespace {

/// The published contract, and the events' rules that the database itself keeps.
class Schema : public testing::Test {
protected:
    Rows columns(const std::string& table, const std::string& which = "true") {
        return database_.query(
            "SELECT column_name, data_type, character_maximum_length, is_nullable, column_default "
            "FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1 "
            "AND " +
                which + " ORDER BY ordinal_position",
            {table});
    }

    std::string insert(const std::string& names = "", const std::string& values = "") {
        std::string id = database_.value("SELECT gen_random_uuid()");
        database_.query(
            "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic" +
            names + ") VALUES ('" + id + "', 'user', 'u1', 'user.created', '{\"a\": 1}', 'user-events'" +
            values + ")");
        return id;
    }

    TestDatabase database_;
};

TEST_F(Schema, UsersIsExactlyWhatIsPublished) {
    const Rows expected{{"id", "uuid", "NULL", "NO", "NULL"},
                        {"email", "character varying", "255", "NO", "NULL"},
                        {"name", "character varying", "255", "NO", "NULL"},
                        {"created_at", "timestamp with time zone", "NULL", "YES", "NULL"},
                        {"updated_at", "timestamp with time zone", "NULL", "YES", "NULL"}};
    EXPECT_EQ(columns("users"), expected);
    EXPECT_EQ(database_.query("SELECT contype, pg_get_constraintdef(oid) FROM pg_constraint "
                              "WHERE conrelid = 'users'::regclass ORDER BY 1"),
              (Rows{{"p", "PRIMARY KEY (id)"}, {"u", "UNIQUE (email)"}}));
}

TEST_F(Schema, OutboxEventsStartsWithThePublishedColumns) {
    const Rows expected{{"id", "uuid", "NULL", "NO", "gen_random_uuid()"},
                        {"aggregate_type", "character varying", "255", "NO", "NULL"},
                        {"aggregate_id", "character varying", "255", "NO", "NULL"},
                        {"event_type", "character varying", "255", "NO", "NULL"},
                        {"event_data", "jsonb", "NULL", "NO", "NULL"},
                        {"status", "character varying", "50", "YES", "'NEW'::character varying"},
                        {"topic", "character varying", "255", "NO", "NULL"},
                        {"partition_key", "character varying", "255", "YES", "NULL"},
                        {"created_at", "timestamp with time zone", "NULL", "YES", "CURRENT_TIMESTAMP"},
                        {"processed_at", "timestamp with time zone", "NULL", "YES", "NULL"},
                        {"retry_count", "integer", "NULL", "YES", "0"},
                        {"max_retries", "integer", "NULL", "YES", "NULL"},
                        {"error_message", "text", "NULL", "YES", "NULL"}};
    EXPECT_EQ(columns("outbox_events", "ordinal_position <= 13"), expected);
    EXPECT_EQ(database_.value("SELECT pg_get_constraintdef(oid) FROM pg_constraint "
                              "WHERE conrelid = 'outbox_events'::regclass AND contype = 'p'"),
              "PRIMARY KEY (id)");
}

TEST_F(Schema, NoFurtherColumnIsAskedOfAWriter) {
    EXPECT_EQ(database_.query(
                  "SELECT column_name FROM information_schema.columns WHERE table_name = 'outbox_events' "
                  "AND ordinal_position > 13 AND is_nullable = 'NO' AND column_default IS NULL "
                  "AND is_identity = 'NO' AND is_generated = 'NEVER'"),
              Rows{});
}

TEST_F(Schema, UnsentRowsHaveAPartialIndex) {
    EXPECT_THAT(database_.value("SELECT indexdef FROM pg_indexes WHERE indexname = 'outbox_events_unsent'"),
                testing::HasSubstr("(bucket, seq) WHERE"));
}

TEST_F(Schema, NoIndexFillsTheServersLogWithRequestsForAutovacuum) {
    EXPECT_EQ(database_.query("SELECT relname FROM pg_class WHERE relkind = 'i' AND 'autosummarize=on' = ANY "
                              "(reloptions)"),
              Rows{});
}

TEST_F(Schema, ClaimsAreHotBecauseNoIndexSeesThem) {
    database_.query(
        "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic) "
        "SELECT gen_random_uuid(), 'user', 'u' || i, 'user.created', '{}', 't' "
        "FROM generate_series(1, 10) AS i");
    EXPECT_EQ(database_.value("BEGIN; UPDATE outbox_events SET status = 'PROCESSING'; "
                              "SELECT pg_stat_get_xact_tuples_hot_updated('outbox_events'::regclass)"),
              "10");
}

TEST_F(Schema, PlainInsertsWithOnlyPublishedColumnsAreTaken) {
    const std::string left_out = insert();
    const std::string nulls =
        insert(", status, created_at, processed_at, partition_key, retry_count, max_retries, "
               "error_message",
               ", NULL, NULL, NULL, NULL, NULL, NULL, NULL");
    EXPECT_EQ(database_.query(
                  "SELECT status, created_at <= now(), retry_count, max_retries, seq FROM outbox_events "
                  "WHERE id = $1",
                  {left_out}),
              (Rows{{"NEW", "t", "0", "NULL", "1"}}));
    EXPECT_EQ(database_.query(
                  "SELECT status, created_at, retry_count, max_retries, seq FROM outbox_events WHERE id = $1",
                  {nulls}),
              (Rows{{"NULL", "NULL", "NULL", "NULL", "2"}}));
    EXPECT_EQ(
        database_.value(
            "SELECT count(*) FROM outbox_events WHERE coalesce(status, 'NEW') IN ('NEW', 'PROCESSING')"),
        "2");
}

TEST_F(Schema, TheBucketIsAHashOfTheKeyModulo64ThatIsNotCryptographic) {
    insert(", partition_key", ", 'some key'");
    insert();
    EXPECT_EQ(
        database_.query("SELECT bucket, outbox_bucket(coalesce(partition_key, aggregate_id)) = bucket FROM "
                        "outbox_events ORDER BY seq"),
        (Rows{{database_.value("SELECT hashtextextended('some key', 0) & 63"), "t"},
              {database_.value("SELECT hashtextextended('u1', 0) & 63"), "t"}}));
}

TEST_F(Schema, UnknownStatusAndHeadersThatAreNoObjectAreRefused) {
    EXPECT_THROW(insert(", status", ", 'PENDING'"), postgres::DatabaseError);
    EXPECT_THROW(insert(", headers", ", '[1]'"), postgres::DatabaseError);
    EXPECT_NO_THROW(insert(", headers", ", '{\"a\": \"b\"}'"));
}

TEST_F(Schema, AWriterCannotChooseItsNumber) {
    EXPECT_THROW(insert(", seq", ", 7"), postgres::DatabaseError);
}

TEST_F(Schema, WhatIsNotSentKeepsIdentityKeyTopicAndContent) {
    for (const char* status : {"'NEW'", "'PROCESSING'", "NULL"}) {
        const std::string where = " WHERE id = '" + insert(", status", std::string(", ") + status) + "'";
        for (const char* change :
             {"id = gen_random_uuid()", "aggregate_type = 'x'", "aggregate_id = 'x'", "event_type = 'x'",
              "event_data = '{}'", "topic = 'x'", "partition_key = 'x'", "headers = '{}'", "seq = DEFAULT"}) {
            EXPECT_EQ(state_of(database_, "UPDATE outbox_events SET " + std::string(change) + where), "55000")
                << change << " while " << status;
        }
        EXPECT_EQ(state_of(database_,
                           "UPDATE outbox_events SET id = id, aggregate_type = aggregate_type, topic = topic,"
                           " event_data = event_data, headers = headers, payload = payload" +
                               where),
                  "accepted")
            << "a row saved as it was";
        EXPECT_EQ(state_of(database_, "UPDATE outbox_events SET status = 'PROCESSING', retry_count = 1, "
                                      "next_attempt_at = now(), error_message = 'x'" +
                                          where),
                  "accepted");
    }
}

TEST_F(Schema, WhatIsSettledMayBeChanged) {
    for (const char* status : {"'SENT'", "'FAILED'", "'SKIPPED'"}) {
        const std::string id = insert(", status", std::string(", ") + status);
        EXPECT_EQ(state_of(database_,
                           "UPDATE outbox_events SET topic = 'x', event_data = '{}' WHERE id = '" + id + "'"),
                  "accepted")
            << status;
    }
}

} // namespace
} // namespace outbox::migrations
