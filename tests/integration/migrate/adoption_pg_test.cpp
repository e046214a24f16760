#include "fixture.hpp"

#include <gmock/gmock.h>

namespace outbox::migrations {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

constexpr auto published_tables = R"(
CREATE TABLE users (
    id UUID PRIMARY KEY, email VARCHAR(255) UNIQUE NOT NULL, name VARCHAR(255) NOT NULL,
    created_at TIMESTAMPTZ, updated_at TIMESTAMPTZ);
CREATE TABLE outbox_events (
    id UUID PRIMARY KEY, aggregate_type VARCHAR(255) NOT NULL, aggregate_id VARCHAR(255) NOT NULL,
    event_type VARCHAR(255) NOT NULL, event_data JSONB NOT NULL, status VARCHAR(50) DEFAULT 'NEW',
    topic VARCHAR(255) NOT NULL, partition_key VARCHAR(255), created_at TIMESTAMPTZ, processed_at TIMESTAMPTZ,
    retry_count INTEGER DEFAULT 0, max_retries INTEGER DEFAULT 3, error_message TEXT);
INSERT INTO users VALUES ('00000000-0000-4000-8000-0000000000aa', 'a@example.com', 'A', now(), now());
)";

constexpr auto original_columns =
    "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default "
    "FROM information_schema.columns WHERE table_name IN ('users', 'outbox_events') AND table_schema = "
    "'public' "
    "ORDER BY table_name, ordinal_position";

constexpr auto published_rows =
    "SELECT id, aggregate_type, aggregate_id, event_type, event_data, topic, partition_key, created_at, "
    "processed_at, retry_count, max_retries, error_message FROM outbox_events ORDER BY id";

/// A database as an older program left it: both tables, and nothing of ours.
class Adoption : public testing::Test {
protected:
    Adoption() { database_.query(published_tables); }

    /// @param last    last digit of the id
    /// @param status  SQL text
    void add(int last, const std::string& status, const std::string& created_at) {
        database_.query(
            "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, status, "
            "topic, partition_key, created_at, retry_count, max_retries, error_message) VALUES "
            "('00000000-0000-4000-8000-00000000000" +
            std::to_string(last) + "', 'user', 'u" + std::to_string(last) +
            "', 'user.created', '{\"n\": " + std::to_string(last) + "}', " + status +
            ", 'user-events', NULL, " + created_at + ", 2, NULL, 'as it was')");
    }

    void add_one_of_each() {
        // Against the order of ids, with a tie at 10:00 that the id decides.
        add(6, "'NEW'", "'2026-01-01 10:00Z'");
        add(5, "'PROCESSING'", "'2026-01-01 10:00Z'");
        add(4, "'SENT'", "'2026-01-01 11:00Z'");
        add(3, "'FAILED'", "'2026-01-01 12:00Z'");
        add(2, "'SKIPPED'", "'2026-01-01 09:00Z'");
        add(1, "NULL", "'2026-01-01 13:00Z'");
        add(7, "'NEW'", "NULL");
    }

    /// Last digit and status of each event, in the order of their numbers.
    std::string numbered() {
        return database_.value(
            "SELECT string_agg(right(id::text, 1) || coalesce(status, 'null'), ' ' ORDER BY seq) "
            "FROM outbox_events");
    }

    TestDatabase database_{TestDatabase::Start::empty};
};

TEST_F(Adoption, NumbersEveryRowByTimeAndIdAndLosesNone) {
    add_one_of_each();
    const Rows before = database_.query(published_rows);
    const Outcome outcome = migrate(database_, {"up", "--processing=resend"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_EQ(numbered(), "7NEW 2SKIPPED 5NEW 6NEW 4SENT 3FAILED 1null");
    EXPECT_EQ(database_.value("SELECT string_agg(seq::text, ',' ORDER BY seq) FROM outbox_events"),
              "1,2,3,4,5,6,7");
    EXPECT_EQ(database_.query(published_rows), before);
    EXPECT_EQ(database_.value("SELECT count(*) FROM users"), "1");
}

TEST_F(Adoption, GivesTheNextEventTheNextNumber) {
    add_one_of_each();
    ASSERT_EQ(migrate(database_, {"up", "--processing=sent"}).exit_code, 0);
    add(8, "DEFAULT", "'2020-01-01Z'");
    EXPECT_EQ(database_.value("SELECT seq FROM outbox_events WHERE aggregate_id = 'u8'"), "8");
}

TEST_F(Adoption, OfAnEmptyTableStartsAtOne) {
    ASSERT_EQ(migrate(database_, {"up"}).exit_code, 0);
    add(1, "DEFAULT", "NULL");
    EXPECT_EQ(numbered(), "1NEW");
    EXPECT_EQ(database_.value("SELECT seq FROM outbox_events"), "1");
}

TEST_F(Adoption, AsksWhatProcessingRowsMeanAndTouchesNothing) {
    add_one_of_each();
    const Rows columns = database_.query(original_columns);
    const Outcome outcome = migrate(database_, {"up"});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors,
                AllOf(HasSubstr("0002_outbox_events.up.sql failed, and nothing of it was kept"),
                      HasSubstr("outbox_events holds 1 PROCESSING row(s)"),
                      HasSubstr("HINT: Stop the old relay"), HasSubstr("--processing=resend"),
                      HasSubstr("--processing=sent"), Not(HasSubstr("CONTEXT"))));
    EXPECT_EQ(database_.query(original_columns), columns);
    EXPECT_EQ(database_.value("SELECT status FROM outbox_events WHERE aggregate_id = 'u5'"), "PROCESSING");
    EXPECT_EQ(migrate(database_, {"version"}).output, "0\n") << "up is one decision";
    EXPECT_EQ(database_.value("SELECT to_regclass('outbox_migrations')"), "NULL");
}

TEST_F(Adoption, TakesProcessingRowsForSentWhenTold) {
    add_one_of_each();
    ASSERT_EQ(migrate(database_, {"up", "--processing=sent"}).exit_code, 0);
    EXPECT_EQ(numbered(), "7NEW 2SKIPPED 5SENT 6NEW 4SENT 3FAILED 1null");
}

TEST_F(Adoption, WithoutProcessingRowsNeedsNoAnswer) {
    add(1, "'NEW'", "NULL");
    EXPECT_EQ(migrate(database_, {"up"}).exit_code, 0);
}

TEST_F(Adoption, RefusesAStatusItDoesNotKnow) {
    add(1, "'new'", "NULL");
    add(2, "'PENDING'", "NULL");
    const Outcome outcome = migrate(database_, {"up", "--processing=sent"});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors, AllOf(HasSubstr("'PENDING', 'new'"), HasSubstr("HINT: Set them to NEW")));
    EXPECT_EQ(database_.value("SELECT string_agg(status, ',' ORDER BY id) FROM outbox_events"),
              "new,PENDING");
}

TEST_F(Adoption, WaitsForAnOldRelayInMidTransactionAndSeesWhatItDid) {
    add(1, "'NEW'", "NULL");
    auto old_relay = database_.connect();
    const Deadline deadline = Deadline::in(std::chrono::seconds(60));
    old_relay.script("BEGIN; UPDATE outbox_events SET status = 'PROCESSING'", deadline);
    support::Process process(migrate_command(database_, {"up"}));
    while (database_.value(
               "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock' AND "
               "relation = 'outbox_events'::regclass") == "0") {
        ASSERT_TRUE(process.running()) << process.errors();
        ASSERT_FALSE(deadline.passed());
    }
    old_relay.script("COMMIT", deadline);
    const Outcome outcome = process.wait(deadline);
    EXPECT_EQ(outcome.exit_code, 1) << "the row became PROCESSING after it was checked";
    EXPECT_THAT(outcome.errors, HasSubstr("holds 1 PROCESSING row(s)"));
}

TEST_F(Adoption, MakesAnUnloggedTableAnOrdinaryOneAndSaysSo) {
    database_.query("ALTER TABLE outbox_events SET UNLOGGED");
    const Outcome outcome = migrate(database_, {"up"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_THAT(outcome.errors, HasSubstr("outbox_events was UNLOGGED"));
    EXPECT_EQ(database_.value("SELECT relpersistence FROM pg_class WHERE relname = 'outbox_events'"), "p");
    EXPECT_THAT(migrate(database_, {"up"}).errors, Not(HasSubstr("UNLOGGED")));
}

TEST_F(Adoption, NamesIndexesThatBlockHotUpdates) {
    database_.query("CREATE INDEX by_status ON outbox_events (status)");
    database_.query("CREATE INDEX new_ones ON outbox_events (topic) WHERE status = 'NEW'");
    database_.query("CREATE INDEX by_topic ON outbox_events (topic)");
    const Outcome outcome = migrate(database_, {"up"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_THAT(outcome.errors,
                AllOf(HasSubstr("index by_status names status"), HasSubstr("index new_ones names status")));
    EXPECT_THAT(outcome.errors, Not(AnyOf(HasSubstr("by_topic"), HasSubstr("outbox_events_unsent"))));
}

TEST_F(Adoption, DownKeepsTablesAndRowsWithTheOriginalColumns) {
    add_one_of_each();
    const Rows columns = database_.query(original_columns);
    const Rows rows = database_.query(published_rows);
    ASSERT_EQ(migrate(database_, {"up", "--processing=resend"}).exit_code, 0);
    EXPECT_NE(database_.query(original_columns), columns);
    const Outcome outcome = migrate(database_, all_down());
    ASSERT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_EQ(database_.query(original_columns), columns);
    EXPECT_EQ(database_.query(published_rows), rows);
    EXPECT_EQ(database_.value("SELECT count(*) FROM users"), "1");
    EXPECT_EQ(state_of(database_, "UPDATE outbox_events SET topic = 'elsewhere'"), "accepted");
}

TEST_F(Adoption, WorksAgainAfterDown) {
    add_one_of_each();
    ASSERT_EQ(migrate(database_, {"up", "--processing=resend"}).exit_code, 0);
    const std::string before = numbered();
    ASSERT_EQ(migrate(database_, all_down()).exit_code, 0);
    ASSERT_EQ(migrate(database_, {"up"}).exit_code, 0);
    EXPECT_EQ(numbered(), before);
}

TEST(AdoptionOfOurOwn, TablesThatWeMadeAreDroppedByDown) {
    TestDatabase database;
    ASSERT_EQ(migrate(database, all_down()).exit_code, 0);
    EXPECT_EQ(database.value("SELECT to_regclass('users')"), "NULL");
    EXPECT_EQ(database.value("SELECT to_regclass('outbox_events')"), "NULL");
}

} // namespace
} // namespace outbox::migrations
