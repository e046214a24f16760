// Tables of the user's own, by the section [table].

#include "fixture.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <thread>

namespace outbox::migrations {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr auto debeziums_table = "CREATE TABLE outbox (id uuid PRIMARY KEY, aggregatetype varchar(255) NOT "
                                 "NULL, aggregateid varchar(255) NOT "
                                 "NULL, type varchar(255) NOT NULL, payload jsonb NOT NULL)";

constexpr auto event =
    "INSERT INTO outbox VALUES (gen_random_uuid(), 'order', 'o-1', 'order.placed', '{\"n\": 1}')";

class ServedTable : public testing::Test {
protected:
    explicit ServedTable(const std::string& sql = debeziums_table) { database_.query(sql); }

    /// `up` with this section.
    Outcome up(const std::string& section = "name = 'outbox'", const Words& more = {}) {
        folder_.write("outbox.toml", "[table]\n" + section + "\n");
        Words words{"up", "--config", folder_.path("outbox.toml")};
        words.insert(words.end(), more.begin(), more.end());
        return migrate(database_, words);
    }
    void expect_refused(const Outcome& outcome, const std::string& why) {
        EXPECT_EQ(outcome.exit_code, 1);
        EXPECT_THAT(outcome.errors, HasSubstr(why));
        EXPECT_EQ(database_.number("SELECT count(*) FROM pg_trigger WHERE tgname = 'outbox_capture'"), 0);
    }
    Rows
    events(const std::string& columns = "id, aggregate_type, aggregate_id, event_type, event_data, topic") {
        return database_.query("SELECT " + columns + " FROM outbox_events ORDER BY seq");
    }
    std::int64_t count() { return database_.number("SELECT count(*) FROM outbox_events"); }

    Folder folder_;
    Role writer_;
    TestDatabase database_;
};

TEST_F(ServedTable, AsDebeziumShapesItIsServedAsItStands) {
    ASSERT_EQ(up().exit_code, 0);
    const auto id = database_.value(std::string(event) + " RETURNING id");
    EXPECT_EQ(events(), (Rows{{id, "order", "o-1", "order.placed", R"({"n": 1})", "outbox.event.order"}}));
    EXPECT_THAT(migrate(database_, {"status"}).output,
                HasSubstr("served: public.outbox  id=id aggregate_type=aggregatetype"));
}

TEST_F(ServedTable, WritersNeedNoRightOnTheOutboxAndOnlyTheirCommitsCount) {
    ASSERT_EQ(up().exit_code, 0);
    database_.query("GRANT INSERT, DELETE, SELECT ON outbox TO " + writer_.name());
    auto options = database_.options();
    options.user = writer_.name();
    options.password = writer_.password();
    const Deadline deadline = Deadline::in(std::chrono::seconds(30));
    auto session = postgres::Connection::open(options, deadline);
    session.script(std::string("BEGIN; ") + event + "; DELETE FROM outbox; ROLLBACK", deadline);
    EXPECT_EQ(count(), 0);
    session.script(std::string("BEGIN; ") + event + "; DELETE FROM outbox; COMMIT", deadline);
    EXPECT_EQ(count(), 1);
    EXPECT_THROW(session.script("SELECT * FROM outbox_events", deadline), postgres::DatabaseError);
    const auto function =
        database_.value("SELECT tgfoid::regproc FROM pg_trigger WHERE tgname = 'outbox_capture'");
    EXPECT_EQ(database_.value("SELECT has_function_privilege('" + writer_.name() + "', '" + function +
                              "()', 'execute')"),
              "f")
        << "else a table of the writer's own could make events";
}

TEST_F(ServedTable, ManyRowsOfOneStatementKeepTheirOrderAndPathsDoNotMatter) {
    ASSERT_EQ(up().exit_code, 0);
    database_.query(
        "CREATE SCHEMA trap; CREATE TABLE trap.outbox_events (LIKE outbox_events); SET search_path = trap, "
        "public; INSERT INTO outbox SELECT gen_random_uuid(), 'order', i::text, 't', '{}' FROM "
        "generate_series(1, 1000) AS i; RESET search_path");
    EXPECT_EQ(count(), 1000);
    EXPECT_EQ(
        database_.number("SELECT count(*) FROM (SELECT aggregate_id, row_number() OVER (ORDER BY seq) AS n"
                         " FROM outbox_events) AS e WHERE aggregate_id = n::text"),
        1000);
}

TEST_F(ServedTable, UpAgainDoesNothingOrTakesOtherColumns) {
    ASSERT_EQ(up().exit_code, 0);
    EXPECT_THAT(up().errors, HasSubstr("public.outbox is served already"));
    database_.query(event);
    database_.query(
        "ALTER TABLE outbox ADD COLUMN tenant text, ADD COLUMN dest text NOT NULL DEFAULT 'a.topic',"
        " ADD COLUMN headers json, ADD COLUMN at timestamp");
    const auto outcome = up(
        "name = 'outbox'\ntopic = 'dest'\npartition_key = 'tenant'\nheaders = 'headers'\ncreated_at = 'at'");
    ASSERT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_THAT(outcome.errors, HasSubstr("with other columns from now on"));
    database_.query("INSERT INTO outbox VALUES (gen_random_uuid(), 'order', 'o-2', 't', '[]', 'x', DEFAULT,"
                    " '{\"a\": \"1\"}', '2026-01-02 03:04:05')");
    EXPECT_EQ(events("topic, partition_key, headers, created_at = '2026-01-02 03:04:05Z'"),
              (Rows{{"outbox.event.order", "NULL", "NULL", "f"}, {"a.topic", "x", R"({"a": "1"})", "t"}}));
    EXPECT_EQ(database_.number("SELECT count(*) FROM pg_proc WHERE proname LIKE 'outbox_capture%'"), 1);
}

TEST_F(ServedTable, RowsThatStandThereAreSentOrLeftAsTheUserSays) {
    database_.query("INSERT INTO outbox SELECT gen_random_uuid(), 'order', i::text, 't', '{}' FROM "
                    "generate_series(1, 3) AS i");
    expect_refused(up(), "--existing=send (they become events) or --existing=ignore");
    const auto outcome = up("name = 'outbox'", {"--existing=send"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_EQ(events("aggregate_id"), (Rows{{"1"}, {"2"}, {"3"}}));
    // Unmapped for a while: what came meanwhile is sent, what was sent is not sent again.
    ASSERT_EQ(migrate(database_, {"unmap", "outbox"}).exit_code, 0);
    database_.query(event);
    EXPECT_EQ(count(), 3);
    ASSERT_EQ(up("name = 'outbox'", {"--existing=send"}).exit_code, 0);
    EXPECT_EQ(events("aggregate_id"), (Rows{{"1"}, {"2"}, {"3"}, {"o-1"}}));
}

TEST_F(ServedTable, IgnoredRowsStayAlone) {
    database_.query(event);
    ASSERT_EQ(up("name = 'outbox'", {"--existing=ignore"}).exit_code, 0);
    EXPECT_EQ(count(), 0);
    database_.query(event);
    EXPECT_EQ(count(), 1);
}

TEST_F(ServedTable, UnmapLeavesNothingBehindAndDownAsksForIt) {
    ASSERT_EQ(up().exit_code, 0);
    const auto down = migrate(database_, all_down());
    EXPECT_EQ(down.exit_code, 1);
    EXPECT_THAT(down.errors, HasSubstr("outbox-migrate unmap public.outbox first"));
    ASSERT_EQ(migrate(database_, {"unmap", "public.outbox"}).exit_code, 0);
    EXPECT_EQ(database_.number("SELECT count(*) FROM pg_proc WHERE proname LIKE 'outbox_capture%'"), 0);
    EXPECT_THAT(migrate(database_, {"status"}).output, Not(HasSubstr("served:")));
    EXPECT_EQ(migrate(database_, {"unmap", "public.outbox"}).exit_code, 1);
    EXPECT_EQ(migrate(database_, all_down()).exit_code, 0);
    database_.query(event);
}

TEST_F(ServedTable, WhatCannotBeServedIsRefusedByItsName) {
    expect_refused(up("name = 'nowhere'"), R"(table "public"."nowhere" does not exist)");
    expect_refused(up("name = 'outbox_events'"), "is the outbox itself");
    expect_refused(up("name = 'outbox'\nevent_data = 'data'"), R"(has no column "data")");
    database_.query("ALTER TABLE outbox ALTER payload TYPE bytea USING ''");
    expect_refused(
        up(), R"(column "payload" (event_data of [table]) is bytea, and it must be jsonb, json, or text)");
    database_.query("ALTER TABLE outbox ALTER payload TYPE text USING 'no JSON'");
    database_.query(event);
    database_.query("UPDATE outbox SET payload = 'no JSON'");
    expect_refused(up("name = 'outbox'", {"--existing=send"}), "invalid input syntax for type json");
    database_.query("UPDATE outbox SET payload = '{}'; ALTER TABLE outbox ALTER aggregateid DROP NOT NULL;"
                    " UPDATE outbox SET aggregateid = NULL");
    expect_refused(up("name = 'outbox'", {"--existing=send"}),
                   "1 row(s) of public.outbox cannot become events");
    database_.query("UPDATE outbox SET aggregateid = '1'; ALTER TABLE outbox ADD headers json DEFAULT '[]',"
                    " ADD key text DEFAULT 'k'");
    expect_refused(up("name = 'outbox'\nheaders = 'headers'", {"--existing=send"}),
                   "1 row(s) of public.outbox cannot become events");
    database_.query("UPDATE outbox SET headers = NULL, key = repeat('k', 256)");
    expect_refused(up("name = 'outbox'\nheaders = 'headers'\npartition_key = 'key'", {"--existing=send"}),
                   "1 row(s) of public.outbox cannot become events");
    database_.query("CREATE VIEW outbox_view AS SELECT * FROM outbox");
    expect_refused(up("name = 'outbox_view'"), "is no table");
}

TEST_F(ServedTable, ATextThatMayBeTooLongIsNamedAndTheInsertOfSuchARowFailsAlone) {
    database_.query("CREATE DOMAIN short AS varchar(40); CREATE DOMAIN endless AS text;"
                    " ALTER TABLE outbox ALTER aggregateid TYPE text, ALTER type TYPE short,"
                    " ADD tenant endless NOT NULL DEFAULT 'x', ADD region char(2) NOT NULL DEFAULT 'eu'");
    const auto outcome = up("name = 'outbox'\npartition_key = 'tenant'");
    ASSERT_EQ(outcome.exit_code, 0) << outcome.errors;
    for (const char* name : {"aggregateid", "tenant"}) {
        EXPECT_THAT(outcome.errors,
                    HasSubstr(fmt::format("public.outbox: column \"{}\" is text: an insert will be refused "
                                          "when it holds more than 255 characters",
                                          name)));
    }
    EXPECT_THAT(outcome.errors, AllOf(Not(HasSubstr("\"type\"")), Not(HasSubstr("\"aggregatetype\""))));
    const auto insert = [](int length) {
        return fmt::format(
            "INSERT INTO outbox VALUES (gen_random_uuid(), 'order', repeat('k', {}), 't', '{{}}')", length);
    };
    EXPECT_EQ(state_of(database_, insert(256)), "22001"); // string_data_right_truncation
    database_.query(insert(255));
    EXPECT_EQ(count(), 1);
    EXPECT_EQ(database_.number("SELECT count(*) FROM outbox"), 1);
}

TEST_F(ServedTable, NamesMayHoldAnything) {
    database_.query(R"(CREATE SCHEMA "Or;ders"; ALTER TABLE outbox SET SCHEMA "Or;ders";
                       ALTER TABLE "Or;ders".outbox RENAME TO "out""box'"; ALTER TABLE "Or;ders"."out""box'"
                       RENAME payload TO "pay\load")");
    const auto outcome = up(R"(schema = "Or;ders"
                               name = "out\"box'"
                               event_data = "pay\\load")");
    ASSERT_EQ(outcome.exit_code, 0) << outcome.errors;
    database_.query(
        R"(INSERT INTO "Or;ders"."out""box'" VALUES (gen_random_uuid(), 'order', '1', 't', '{}'))");
    EXPECT_EQ(count(), 1);
    EXPECT_EQ(migrate(database_, {"unmap", R"("Or;ders"."out""box'")"}).exit_code, 0);
}

TEST_F(ServedTable, APartitionedTableMissesNoRowAlsoOfAPartitionThatComesLater) {
    database_.query(
        "DROP TABLE outbox; CREATE TABLE outbox (id uuid, aggregatetype text NOT NULL, aggregateid text NOT "
        "NULL, type text NOT NULL, payload json NOT NULL, day integer) PARTITION BY LIST (day);"
        " CREATE TABLE outbox_1 PARTITION OF outbox FOR VALUES IN (1)");
    expect_refused(up("name = 'outbox_1'"), "is a partition");
    const auto outcome = up();
    ASSERT_EQ(outcome.exit_code, 0) << outcome.errors;
    database_.query("CREATE TABLE outbox_2 PARTITION OF outbox FOR VALUES IN (2)");
    for (const char* target : {"outbox", "outbox_1", "outbox_2"}) {
        database_.query(std::string("INSERT INTO ") + target + " VALUES (gen_random_uuid(), 'a', '" + target +
                        "', 't', '{}', " + (std::string(target) == "outbox_2" ? "2" : "1") + ")");
    }
    EXPECT_EQ(events("aggregate_id"), (Rows{{"outbox"}, {"outbox_1"}, {"outbox_2"}}));
    EXPECT_THAT(up().errors, HasSubstr("is served already"));
    EXPECT_EQ(migrate(database_, {"unmap", "outbox"}).exit_code, 0);
}

TEST_F(ServedTable, ANullIsATombstoneAndBytesAreKeptAsTheyAre) {
    database_.query("ALTER TABLE outbox ALTER payload DROP NOT NULL");
    const auto outcome = up();
    ASSERT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_THAT(outcome.errors, HasSubstr("\"payload\" may hold NULL: such a row is sent as a tombstone"));
    for (const char* value : {"NULL", "'null'", "'{}'"}) {
        database_.query(std::string("INSERT INTO outbox VALUES (gen_random_uuid(), 'a', 'b', 'c', ") + value +
                        ")");
    }
    EXPECT_EQ(events("event_data, tombstone"), (Rows{{"null", "t"}, {"null", "NULL"}, {"{}", "NULL"}}));
    database_.query(
        "DELETE FROM outbox; ALTER TABLE outbox ALTER payload TYPE bytea USING NULL, ADD kind text;"
        " DELETE FROM outbox_events");
    ASSERT_EQ(up("name = 'outbox'\ncontent_type = 'application/avro'").exit_code, 0);
    database_.query(R"(INSERT INTO outbox VALUES (gen_random_uuid(), 'a', 'b', 'c', '\x00ff'),
                    (gen_random_uuid(), 'a', 'b', 'c', NULL))");
    ASSERT_EQ(up("name = 'outbox'\ncontent_type = 'kind'").exit_code, 0);
    database_.query("INSERT INTO outbox VALUES (gen_random_uuid(), 'a', 'b', 'c', '', 'a/b'),"
                    " (gen_random_uuid(), 'a', 'b', 'c', 'x', NULL)");
    EXPECT_EQ(events("payload, content_type, tombstone"), (Rows{{R"(\x00ff)", "application/avro", "NULL"},
                                                                {"NULL", "NULL", "t"},
                                                                {R"(\x)", "a/b", "NULL"},
                                                                {R"(\x78)", "NULL", "NULL"}}));
}

TEST_F(ServedTable, WithItsTypeJsonThatJsonbRefusesIsSentAsItIsWritten) {
    database_.query("ALTER TABLE outbox ALTER payload TYPE json");
    const std::string strange = R"({"b": 1e400,  "a": "\u0000\ud800", "a": -0})";
    const std::string insert =
        "INSERT INTO outbox VALUES (gen_random_uuid(), 'a', 'b', 'c', '" + strange + "')";
    const auto plain = up();
    EXPECT_THAT(plain.errors,
                HasSubstr("column \"payload\" is json: an insert will be refused when it holds no JSON "
                          "that jsonb takes"));
    EXPECT_EQ(state_of(database_, insert), "22P05");
    ASSERT_EQ(up("name = 'outbox'\ncontent_type = 'application/json'").exit_code, 0);
    database_.query(insert);
    EXPECT_EQ(events("convert_from(payload, 'UTF8')"), (Rows{{strange}}));
}

TEST_F(ServedTable, TheRowThatCannotBecomeAnEventIsNamed) {
    database_.query("ALTER TABLE outbox ALTER payload TYPE json");
    database_.query(
        "INSERT INTO outbox SELECT gen_random_uuid(), 'a', 'b', 'c', '{}' FROM generate_series(1, 20)");
    const auto bad = database_.value(
        R"(INSERT INTO outbox VALUES (gen_random_uuid(), 'a', 'b', 'c', '{"a": "\u0000"}') RETURNING id)");
    expect_refused(up("name = 'outbox'", {"--existing=send"}), "the row whose \"id\" is " + bad);
    database_.query("DELETE FROM outbox WHERE id = '" + bad +
                    "'; ALTER TABLE outbox ALTER aggregateid TYPE text");
    const auto longer = database_.value(
        "INSERT INTO outbox VALUES (gen_random_uuid(), 'a', repeat('b', 256), 'c', '{}') RETURNING id");
    expect_refused(up("name = 'outbox'", {"--existing=send"}), "such as the one whose id is " + longer);
}

/// What a type prints must not follow the session that writes, or one key becomes two.
TEST_F(ServedTable, KeysDoNotFollowTheWritersSession) {
    const std::vector<std::pair<std::string, std::string>> keys{
        {"date", "'2026-02-01'"},
        {"timestamptz", "'2026-02-01 00:00:00Z'"},
        {"timestamp", "'2026-02-01'"},
        {"interval", "'1 day 2:03'"},
        {"float8", "0.1::float8 + 0.2::float8"},
        {"float4", "1.1::float4"},
        {"money", "12345.67::numeric::money"},
        {"bytea[]", R"(ARRAY['\x00ff'::bytea])"},
        {"numeric", "1.50"},
        {"tstzrange", "tstzrange('2026-02-01Z', NULL)"}};
    for (const auto& [type, value] : keys) {
        database_.query("DROP TABLE outbox");
        database_.query(
            "CREATE TABLE outbox (id uuid PRIMARY KEY, aggregatetype text NOT NULL, aggregateid " + type +
            " NOT NULL, type text NOT NULL, payload jsonb NOT NULL)");
        const std::string row =
            // NOLINTNEXTLINE(performance-inefficient-string-concatenation)
            "INSERT INTO outbox SELECT gen_random_uuid(), '" + type + "', " + value + ", 'c', '{}'";
        database_.query("SET DateStyle = 'ISO, MDY'; " + row);
        ASSERT_EQ(up("name = 'outbox'", {"--existing=send"}).exit_code, 0) << type;
        database_.query(
            "SET IntervalStyle = 'iso_8601'; SET TimeZone = 'Asia/Tokyo'; SET extra_float_digits = -3;"
            " SET bytea_output = 'escape'; SET DateStyle = 'SQL, MDY'; " +
            // NOLINTNEXTLINE(performance-inefficient-string-concatenation)
            row + "; RESET ALL; " + row);
        EXPECT_EQ(
            database_.number("SELECT count(*) FROM outbox_events WHERE aggregate_type = '" + type + "'"), 3);
        EXPECT_EQ(database_
                      .value("SELECT string_agg(DISTINCT aggregate_id, ' and ') FROM outbox_events"
                             " WHERE aggregate_type = '" +
                             type + "'")
                      .find(" and "),
                  std::string::npos)
            << type;
    }
}

class ServedPartitionedTable : public ServedTable {
protected:
    ServedPartitionedTable()
        : ServedTable(
              "CREATE TABLE outbox (id uuid NOT NULL, aggregatetype text NOT NULL, aggregateid text NOT NULL,"
              " type text NOT NULL, payload jsonb NOT NULL, day integer NOT NULL) PARTITION BY LIST (day);"
              " CREATE TABLE outbox_1 PARTITION OF outbox FOR VALUES IN (1);"
              " CREATE TABLE outbox_2 PARTITION OF outbox FOR VALUES IN (2, 3) PARTITION BY LIST (day);"
              " CREATE TABLE outbox_22 PARTITION OF outbox_2 FOR VALUES IN (2);"
              " CREATE TABLE outbox_23 PARTITION OF outbox_2 FOR VALUES IN (3)") {}

    void forget_events() {
        database_.query("UPDATE outbox_events SET status = 'SENT'; DELETE FROM outbox_events");
    }

    const std::string insert =
        "INSERT INTO outbox VALUES ('00000000-0000-0000-0000-000000000001', 'a', 'b', 'c', '{}', 1)";
};

TEST_F(ServedPartitionedTable, AnUpdateThatMovesARowIsNoEventWhetherItsEventIsStillThereOrNot) {
    ASSERT_EQ(up().exit_code, 0);
    database_.query(insert);
    EXPECT_EQ(count(), 1);
    const auto move_about = [&] {
        database_.query("UPDATE outbox SET day = 2, payload = '[2]'");
        database_.query("UPDATE outbox_2 SET day = 3"); // by a partition that has partitions
        database_.query("UPDATE outbox SET day = 1; UPDATE outbox SET day = 2; UPDATE outbox SET day = 1");
        database_.query("BEGIN; UPDATE outbox SET day = 2; SAVEPOINT a; UPDATE outbox SET day = 3; COMMIT");
        database_.query("UPDATE outbox SET day = 1");
    };
    move_about();
    EXPECT_EQ(events("event_data"), (Rows{{"{}"}}));
    forget_events();
    move_about();
    EXPECT_EQ(count(), 0);
    database_.query("BEGIN; DELETE FROM outbox; " + insert + "; UPDATE outbox SET day = 2; COMMIT");
    EXPECT_EQ(count(), 1) << "inserted and moved by one transaction";
}

TEST_F(ServedPartitionedTable, ManyRowsThatMoveAtOnceAreNoEvents) {
    ASSERT_EQ(up().exit_code, 0);
    database_.query("INSERT INTO outbox SELECT gen_random_uuid(), 'a', i::text, 'c', '{}', 1 FROM"
                    " generate_series(1, 1000) AS i");
    forget_events();
    database_.query("UPDATE outbox SET day = 2");
    EXPECT_EQ(count(), 0);
    if (database_.number("SELECT current_setting('server_version_num')::integer") >= 150'000) {
        database_.query("MERGE INTO outbox USING (SELECT id FROM outbox LIMIT 500) AS s ON outbox.id = s.id"
                        " WHEN MATCHED THEN UPDATE SET day = 3");
        EXPECT_EQ(count(), 0);
    }
}

TEST_F(ServedPartitionedTable, ASecondInsertOfARowThatWasDeletedIsAnEventAgain) {
    ASSERT_EQ(up().exit_code, 0);
    database_.query(insert);
    forget_events();
    database_.query("BEGIN; DELETE FROM outbox; " + insert + "; COMMIT");
    EXPECT_EQ(count(), 1);
    EXPECT_EQ(state_of(database_, "DELETE FROM outbox; " + insert), "23505")
        << "while its event is still there";
    forget_events();
    database_.query("DO $$ BEGIN DELETE FROM outbox; " + insert + "; END $$");
    EXPECT_EQ(count(), 1) << "in one statement of the client";
}

TEST_F(ServedPartitionedTable, ServedBeforeRowsCouldMoveIsServedAnewByUp) {
    ASSERT_EQ(up().exit_code, 0);
    database_.query(
        "DO $$ DECLARE f text := (SELECT tgfoid::regproc FROM pg_trigger WHERE tgname = 'outbox_capture'"
        " AND tgparentid = 0); BEGIN EXECUTE 'CREATE OR REPLACE TRIGGER outbox_capture AFTER INSERT ON"
        " outbox FOR EACH ROW EXECUTE FUNCTION ' || f || '()'; EXECUTE 'CREATE OR REPLACE FUNCTION ' || f"
        " || '() RETURNS trigger LANGUAGE plpgsql AS $f$BEGIN RETURN NULL; END$f$'; END $$");
    ASSERT_EQ(up().exit_code, 0);
    database_.query(insert);
    database_.query("UPDATE outbox SET day = 2");
    EXPECT_EQ(count(), 1);
}

TEST_F(ServedTable, ATakeOverLooksAtTheSlotAndTheFilterBeforeTheCut) {
    database_.query("CREATE PUBLICATION dbz FOR TABLE outbox WHERE (type <> 'x')");
    const auto slot = [](const std::string& name) { return Words{"--publication=dbz", "--slot=" + name}; };
    expect_refused(up("name = 'outbox'", slot("none")), "with a row filter or a list of columns");
    database_.query(
        "DROP PUBLICATION dbz; CREATE PUBLICATION dbz FOR TABLE outbox WITH (publish = 'delete')");
    expect_refused(up("name = 'outbox'", slot("none")), "publishes no inserts");
    database_.query("DROP PUBLICATION dbz; CREATE PUBLICATION dbz FOR TABLE outbox");
    const std::string name = database_.name();
    const std::vector<std::pair<std::string, std::string>> slots{
        {"is physical, not logical", "pg_create_physical_replication_slot('" + name + "')"},
        {"plugin test_decoding", "pg_create_logical_replication_slot('" + name + "', 'test_decoding')"}};
    for (const auto& [why, call] : slots) {
        database_.query("SELECT " + call);
        expect_refused(up("name = 'outbox'", slot(name)), why);
        database_.query("SELECT pg_drop_replication_slot('" + name + "')");
    }
    {
        TestDatabase other;
        other.query("SELECT pg_create_logical_replication_slot('" + name + "', 'pgoutput')");
        expect_refused(up("name = 'outbox'", slot(name)), "belongs to database " + other.name());
        other.query("SELECT pg_drop_replication_slot('" + name + "')");
    }
    EXPECT_EQ(database_.number("SELECT count(*) FROM outbox_pauses"), 0);
}

TEST_F(ServedTable, ATakeOverKeepsTheKeysThatDebeziumWrote) {
    database_.query("ALTER TABLE outbox ALTER aggregateid TYPE char(6), ALTER id TYPE text;"
                    " CREATE PUBLICATION dbz FOR TABLE outbox");
    const auto name = database_.name();
    database_.query("SELECT pg_create_logical_replication_slot('" + name + "', 'pgoutput')");
    const Words words{"--publication=dbz", "--slot=" + name};
    database_.query(
        "INSERT INTO outbox VALUES ('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'a', 'k', 'c', '{}')");
    expect_refused(up("name = 'outbox'", words), "ALTER TABLE public.outbox ALTER \"id\" TYPE uuid");
    database_.query("ALTER TABLE outbox ALTER id TYPE uuid USING id::uuid");
    folder_.write("outbox.toml", "[table]\nname = 'outbox'\n");
    support::Process running(migrate_command(
        database_, {"up", "--config", folder_.path("outbox.toml"), "--publication=dbz", "--slot=" + name}));
    ASSERT_TRUE(running.wait_for_text("paused until slot", Deadline::in(std::chrono::seconds(60))))
        << running.errors();
    running.kill();
    database_.query("INSERT INTO outbox VALUES (gen_random_uuid(), 'a', 'k', 'c', '{}')");
    EXPECT_EQ(events("'<' || aggregate_id || '>', topic"), (Rows{{"<k     >", "outbox.event.a"}}));
    EXPECT_THAT(up().errors, HasSubstr("is served already")) << "its keys stay";
    database_.query("SELECT pg_drop_replication_slot('" + name + "')");
}

TEST_F(ServedTable, ItWaitsForWritersAndLosesNoneOfTheirRows) {
    const Deadline deadline = Deadline::in(std::chrono::seconds(60));
    auto writer = database_.connect();
    writer.script(std::string("BEGIN; ") + event, deadline);
    folder_.write("outbox.toml", "[table]\nname = 'outbox'\n");
    support::Process running(
        migrate_command(database_, {"up", "--config", folder_.path("outbox.toml"), "--existing=send"}));
    ASSERT_TRUE(running.wait_for_text("waiting until no transaction", deadline)) << running.errors();
    writer.script("COMMIT", deadline);
    EXPECT_EQ(running.wait(deadline).exit_code, 0);
    EXPECT_EQ(count(), 1);
}

TEST_F(ServedTable, ATakeOverNamesWhatDebeziumLacks) {
    const Words words{"--publication=dbz", "--slot=none"};
    expect_refused(up("name = 'outbox'", words), R"(there is no publication "dbz")");
    database_.query("CREATE PUBLICATION dbz FOR ALL TABLES");
    expect_refused(up("name = 'outbox'", words), R"(publication "dbz" is FOR ALL TABLES)");
    database_.query("DROP PUBLICATION dbz; CREATE PUBLICATION dbz FOR TABLES IN SCHEMA public");
    expect_refused(up("name = 'outbox'", words), R"(publication "dbz" does not name public.outbox)");
    database_.query("DROP PUBLICATION dbz; CREATE PUBLICATION dbz FOR TABLE outbox");
    expect_refused(up("name = 'outbox'", words), "there is no logical replication slot none");
    EXPECT_EQ(database_.number("SELECT count(*) FROM outbox_pauses"), 0);
    EXPECT_THAT(up().errors,
                HasSubstr("is published by dbz: if Debezium reads that, each row is sent twice"));
    const auto late = up("name = 'outbox'", words);
    EXPECT_EQ(late.exit_code, 1);
    EXPECT_THAT(late.errors, HasSubstr("its rows have gone both ways"));
}

} // namespace
} // namespace outbox::migrations
