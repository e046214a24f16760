// What stood there before `up`: refused by name before anything is changed, or converted when asked for.
#include "fixture.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>

namespace outbox::migrations {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// An outbox_events that differs from the published one in the columns named.
class Survey : public testing::Test {
protected:
    void create(const std::map<std::string, std::string>& changes, const std::string& after = {}) {
        std::map<std::string, std::string> columns{{"id", "uuid PRIMARY KEY"},
                                                   {"aggregate_type", "varchar(255) NOT NULL"},
                                                   {"aggregate_id", "varchar(255) NOT NULL"},
                                                   {"event_type", "varchar(255) NOT NULL"},
                                                   {"event_data", "jsonb NOT NULL"},
                                                   {"status", "varchar(50) DEFAULT 'NEW'"},
                                                   {"topic", "varchar(255) NOT NULL"},
                                                   {"partition_key", "varchar(255)"},
                                                   {"created_at", "timestamptz DEFAULT now()"},
                                                   {"processed_at", "timestamptz"},
                                                   {"retry_count", "integer DEFAULT 0"},
                                                   {"max_retries", "integer DEFAULT 3"},
                                                   {"error_message", "text"}};
        std::string list;
        for (const auto& [name, type] : changes) {
            columns[name] = type;
        }
        for (const auto& [name, type] : columns) {
            // NOLINTNEXTLINE(performance-inefficient-string-concatenation)
            list += (list.empty() || type.empty() ? "" : ", ") + (type.empty() ? "" : name + " " + type);
        }
        database_.query("CREATE TABLE outbox_events (" + list + ") " + after);
    }

    /// One line on stderr for what is refused, exit 1, and nothing of ours stands there.
    void expect_refused(const std::string& object, const std::string& mend, const Words& words = {"up"}) {
        const Outcome outcome = migrate(database_, words);
        EXPECT_EQ(outcome.exit_code, 1) << outcome.errors;
        EXPECT_THAT(outcome.errors, AllOf(HasSubstr(object), HasSubstr(mend)));
        EXPECT_EQ(database_.value("SELECT count(*) FROM pg_class WHERE relname IN ('outbox_meta', 'users',"
                                  " 'outbox_migrations', 'schema_migrations')"),
                  "0")
            << outcome.errors;
        const bool view =
            database_.value("SELECT count(*) FROM pg_views WHERE viewname = 'outbox_events'") == "1";
        database_.query(view ? "DROP VIEW outbox_events" : "DROP TABLE outbox_events CASCADE");
    }

    Role owner_; ///< outlives the database
    TestDatabase database_{TestDatabase::Start::empty};
};

TEST_F(Survey, RefusesColumnsOfOtherTypesByName) {
    database_.query("CREATE TYPE state AS ENUM ('NEW', 'PROCESSING', 'SENT', 'FAILED', 'SKIPPED')");
    database_.query("CREATE DOMAIN note AS varchar(100)");
    const std::map<std::string, std::vector<std::string>> kinds{
        {"id", {"varchar(36) PRIMARY KEY", "bigint PRIMARY KEY", "char(36) PRIMARY KEY"}},
        {"event_data", {"text", "bytea", "text[]"}},
        {"created_at", {"timestamp", "date", "bigint"}},
        {"status", {"state DEFAULT 'NEW'", "char(10)", "varchar(5)", "integer"}},
        {"aggregate_id", {"bigint", "char(40)", "uuid", "text[]"}},
        {"partition_key", {"", "integer", "varchar(255) GENERATED ALWAYS AS (aggregate_id) STORED"}},
        {"error_message", {"varchar(200)", "note", "text NOT NULL DEFAULT ''"}},
        {"retry_count", {"text"}},
        {"processed_at", {"timestamptz NOT NULL DEFAULT now()"}}};
    for (const auto& [column, types] : kinds) {
        for (const std::string& type : types) {
            // NOLINTNEXTLINE(performance-inefficient-string-concatenation)
            SCOPED_TRACE(column + " " + type);
            create({{column, type}});
            expect_refused("column " + column + " of public.outbox_events",
                           "ALTER TABLE public.outbox_events");
        }
    }
    create({{"id", "uuid"}});
    expect_refused("column id of public.outbox_events", "ADD PRIMARY KEY (id)");
    create({{"seq", "bigint"}});
    expect_refused("column seq of public.outbox_events", "RENAME COLUMN seq TO old_seq");
    for (const char* column :
         {"headers jsonb", "payload bytea", "payload text", "content_type text DEFAULT 'x'",
          "tombstone integer", "kafka_offset bigint", "failed boolean"}) {
        const std::string name(column, std::string_view(column).find(' '));
        create({{name, std::string(column).substr(name.size() + 1)}});
        expect_refused("column " + name + " of public.outbox_events",
                       fmt::format("RENAME COLUMN {0} TO old_{0}", name));
    }
    create({{"status", "varchar(50) DEFAULT 'NEW' CONSTRAINT two CHECK (status IN ('NEW', 'SENT'))"}});
    expect_refused("constraint two of public.outbox_events", "DROP CONSTRAINT two;");
    create({{"status", "varchar(50) CHECK (status <> '')"}});
    expect_refused("outbox_events_status_check of public.outbox_events: has the name",
                   "DROP CONSTRAINT outbox_events_status_check;");
}

TEST_F(Survey, RefusesWhatIsNoOrdinaryTable) {
    create({{"id", "uuid"}}, "PARTITION BY RANGE (created_at)");
    expect_refused("public.outbox_events: is partitioned", "[table]");
    create({}, "");
    database_.query(
        "ALTER TABLE outbox_events RENAME TO other; CREATE VIEW outbox_events AS SELECT * FROM other");
    expect_refused("public.outbox_events: is a view", "RENAME");
    database_.query("DROP TABLE IF EXISTS other CASCADE");
    create({});
    database_.query("CREATE TABLE child () INHERITS (outbox_events)");
    expect_refused("public.outbox_events: inherits", "DB_SCHEMA");
    database_.query(
        "CREATE TABLE outbox_events (id uuid PRIMARY KEY, aggregatetype text NOT NULL, aggregateid text NOT"
        " NULL, type text NOT NULL, payload jsonb)");
    expect_refused("has the columns of Debezium's outbox", "[table]");
    database_.query("CREATE TYPE event AS (id uuid, aggregate_type varchar(255), aggregate_id varchar(255),"
                    " event_type varchar(255), event_data jsonb, status varchar(50), topic varchar(255),"
                    " partition_key varchar(255), created_at timestamptz, processed_at timestamptz,"
                    " retry_count integer, max_retries integer, error_message text);"
                    " CREATE TABLE outbox_events OF event (PRIMARY KEY (id))");
    expect_refused("public.outbox_events: is a typed table", "ALTER TABLE public.outbox_events NOT OF;");
    create({});
    database_.query("CREATE RULE quiet AS ON INSERT TO outbox_events DO INSTEAD NOTHING");
    expect_refused("rule quiet on public.outbox_events", "DROP RULE quiet ON public.outbox_events;");
}

TEST_F(Survey, ConvertsWhatLosesNothingWhenItIsAskedFor) {
    database_.query("CREATE TYPE state AS ENUM ('NEW', 'SENT')");
    create({{"id", "varchar(36) PRIMARY KEY"},
            {"event_data", "text NOT NULL"},
            {"status", "state DEFAULT 'NEW'"},
            {"aggregate_id", "bigint NOT NULL"},
            {"error_message", "varchar(100)"},
            {"partition_key", "char(10)"}});
    database_.query(
        "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic,"
        " partition_key) VALUES ('5B4D3C2A-0000-4000-8000-000000000001', 'user', 7, 'made', '{\"a\": 1}',"
        " 't', 'k')");
    EXPECT_THAT(migrate(database_, {"up"}).errors, HasSubstr("up --convert"));
    const Outcome outcome = migrate(database_, {"up", "--convert"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_THAT(outcome.errors, HasSubstr("done: ALTER TABLE public.outbox_events"));
    EXPECT_EQ(database_.query(
                  "SELECT id, aggregate_id, event_data, status, partition_key || '.' FROM outbox_events"),
              (Rows{{"5b4d3c2a-0000-4000-8000-000000000001", "7", "{\"a\": 1}", "NEW", "k."}}));
    EXPECT_EQ(migrate(database_, {"up"}).exit_code, 0);
}

TEST_F(Survey, ConvertsNothingWhereOneRowDoesNotFit) {
    create({{"id", "varchar(36) PRIMARY KEY"}, {"event_data", "text NOT NULL"}});
    database_.query(
        "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic) VALUES"
        " ('5B4D3C2A-0000-4000-8000-000000000001', 'user', 7, 'made', 'no JSON', 't')");
    const Outcome outcome = migrate(database_, {"up", "--convert"});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors, AllOf(HasSubstr("event_data::text::jsonb; failed, and nothing was changed"),
                                      HasSubstr("invalid input syntax for type json")));
    EXPECT_EQ(database_.value("SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attname = 'id'"
                              " AND attrelid = 'outbox_events'::regclass"),
              "character varying");
}

TEST_F(Survey, RefusesRowsThatAPolicyHides) {
    database_.query("GRANT CREATE ON SCHEMA public TO " + owner_.name());
    create({});
    database_.query(
        "ALTER TABLE outbox_events ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY, OWNER TO " +
        owner_.name());
    const Outcome outcome = migrate(database_, {"up"}, owner_.variables());
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors, AllOf(HasSubstr("public.outbox_events: has row-level security"),
                                      HasSubstr("DISABLE ROW LEVEL SECURITY")));
    EXPECT_EQ(database_.value("SELECT to_regclass('outbox_meta')"), "NULL");
    // Whom it hides nothing from is told of it.
    const Outcome told = migrate(database_, {"up"});
    EXPECT_EQ(told.exit_code, 0) << told.errors;
    EXPECT_THAT(told.errors, HasSubstr("hides nothing from role"));
}

TEST_F(Survey, RefusesATableToBeServedWhoseRowsAPolicyHides) {
    database_.query(
        fmt::format("GRANT CREATE ON SCHEMA public TO {0}; CREATE TABLE theirs (id uuid PRIMARY KEY DEFAULT "
                    "gen_random_uuid(), aggregatetype text DEFAULT 'a', aggregateid text DEFAULT 'b', type "
                    "text DEFAULT 'c',"
                    " payload jsonb DEFAULT '1'); INSERT INTO theirs DEFAULT VALUES; ALTER TABLE theirs "
                    "OWNER TO {0}, ENABLE"
                    " ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY",
                    owner_.name()));
    const Folder folder;
    folder.write("outbox.toml", "[table]\nname = 'theirs'\n");
    const auto up = [&] {
        return migrate(database_, {"up", "--config", folder.path("outbox.toml"), "--existing=send"},
                       owner_.variables());
    };
    auto outcome = up();
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(
        outcome.errors,
        HasSubstr("table public.theirs has row-level security that hides rows from role " + owner_.name()));
    EXPECT_EQ(std::count(outcome.errors.begin(), outcome.errors.end(), '\n'), 1) << outcome.errors;
    EXPECT_EQ(database_.value("SELECT to_regclass('outbox_events')"), "NULL");
    const std::string mend = "ALTER TABLE public.theirs NO FORCE ROW LEVEL SECURITY;";
    EXPECT_THAT(outcome.errors, HasSubstr(mend));
    database_.query(mend);
    outcome = up();
    ASSERT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_EQ(database_.number("SELECT count(*) FROM outbox_events"), 1);
    // Of a table that is served already nobody looks at rows.
    database_.query("ALTER TABLE theirs FORCE ROW LEVEL SECURITY");
    EXPECT_EQ(up().exit_code, 0);
    database_.query("INSERT INTO theirs DEFAULT VALUES");
    EXPECT_EQ(database_.number("SELECT count(*) FROM outbox_events"), 2);
}

TEST_F(Survey, RefusesNumbersOutOfOrderAndMovesThoseThatAreBehind) {
    database_.migrate({"up"});
    for (const char* change : {"CACHE 20", "CYCLE MAXVALUE 9000000000000000000", "INCREMENT BY 10"}) {
        database_.query(std::string("ALTER SEQUENCE outbox_events_seq_seq ") + change);
        const Outcome outcome = migrate(database_, {"up"});
        EXPECT_EQ(outcome.exit_code, 1) << change;
        EXPECT_THAT(outcome.errors, HasSubstr("ALTER SEQUENCE public.outbox_events_seq_seq "));
        database_.query("ALTER SEQUENCE outbox_events_seq_seq CACHE 1 NO CYCLE INCREMENT BY 1");
    }
    database_.query(
        "INSERT INTO outbox_events (id, seq, aggregate_type, aggregate_id, event_type, event_data, topic,"
        " status) OVERRIDING SYSTEM VALUE VALUES (gen_random_uuid(), 41, 'user', 'a', 'made', '{}', 't',"
        " 'SENT')");
    const Outcome outcome = migrate(database_, {"up"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_THAT(outcome.errors, HasSubstr("stood below event 41"));
    EXPECT_EQ(database_.value("SELECT nextval('outbox_events_seq_seq')"), "42");
}

TEST_F(Survey, DoesNotMoveTheNumberingToItsEndForANumberThatWasGivenByHand) {
    database_.migrate({"up"});
    const std::string insert = "INSERT INTO outbox_events (id, seq, aggregate_type, aggregate_id, event_type,"
                               " event_data, topic) OVERRIDING SYSTEM VALUE VALUES ";
    const std::string id = "5b4d3c2a-0000-4000-8000-000000000001";
    database_.query(insert + "('" + id +
                    "', 9223372036854775807, 'user', 'a', 'made', '{}', 't'),"
                    " (gen_random_uuid(), 41, 'user', 'a', 'made', '{}', 't')");
    Outcome outcome = migrate(database_, {"up"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_THAT(outcome.errors,
                AllOf(HasSubstr("stood below event 41"),
                      HasSubstr("event " + id + ": has seq 9223372036854775807"),
                      HasSubstr("DELETE FROM public.outbox_events WHERE id = '" + id + "';")));
    EXPECT_EQ(database_.value("SELECT nextval('outbox_events_seq_seq')"), "42");
    database_.query("UPDATE outbox_events SET status = 'SENT'");
    outcome = migrate(database_, {"up"});
    EXPECT_THAT(outcome.errors, Not(HasSubstr("has seq")));
    EXPECT_EQ(database_.value("SELECT nextval('outbox_events_seq_seq')"), "43");
}

TEST_F(Survey, TakesJsonAndTellsOfAnotherEncoding) {
    on_server("DROP DATABASE " + database_.name());
    on_server("CREATE DATABASE " + database_.name() +
              " ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    create(
        {{"event_data", "json NOT NULL"}, {"aggregate_id", "text NOT NULL"}, {"tenant", "integer NOT NULL"}});
    const Outcome outcome = migrate(database_, {"up"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_THAT(outcome.errors, AllOf(HasSubstr("is encoded as LATIN1"), HasSubstr("column tenant")));
}

} // namespace
} // namespace outbox::migrations
