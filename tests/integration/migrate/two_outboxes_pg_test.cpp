// Two outboxes of one database, and an outbox whose schema is renamed under writers of a table that it
// serves.

#include "fixture.hpp"

#include <gmock/gmock.h>

namespace outbox::migrations {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr auto plain_table =
    "CREATE TABLE public.outbox (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), "
    "aggregatetype text NOT NULL DEFAULT 'order', aggregateid text NOT NULL DEFAULT 'it''s 100%', "
    "type text NOT NULL DEFAULT 'order.placed', payload jsonb NOT NULL DEFAULT '{}')";

constexpr auto partitioned_table = "CREATE TABLE public.outbox (id uuid DEFAULT gen_random_uuid(), "
                                   "aggregatetype text NOT NULL DEFAULT 'order', "
                                   "aggregateid text NOT NULL DEFAULT 'a', type text NOT NULL DEFAULT "
                                   "'order.placed', payload jsonb NOT NULL DEFAULT "
                                   "'{}') PARTITION BY LIST (aggregateid)";

class TwoOutboxes : public testing::Test {
protected:
    TwoOutboxes() { folder_.write("outbox.toml", "[table]\nname = 'outbox'\nschema = 'public'\n"); }

    Outcome up(const std::string& schema) {
        return migrate(database_, {"up", "--config", folder_.path("outbox.toml"), "--existing=ignore"},
                       {{"DB_SCHEMA", schema}});
    }
    Outcome run(const std::string& schema, const Words& words) {
        return migrate(database_, words, {{"DB_SCHEMA", schema}});
    }
    void serve(const std::string& schema) {
        const auto outcome = up(schema);
        ASSERT_EQ(outcome.exit_code, 0) << outcome.errors;
    }
    std::int64_t events_in(const std::string& schema) {
        return database_.number("SELECT count(*) FROM " + schema + ".outbox_events");
    }
    void make_partitioned() {
        database_.query(partitioned_table);
        database_.query("CREATE TABLE part_a PARTITION OF outbox FOR VALUES IN ('a')");
        database_.query("CREATE TABLE part_b PARTITION OF outbox FOR VALUES IN ('b')");
    }

    Folder folder_;
    TestDatabase database_{TestDatabase::Start::empty};
};

TEST_F(TwoOutboxes, MayServeOneTableAndEachGetsEachRow) {
    database_.query(plain_table);
    serve("public");
    const auto second = up("orders");
    ASSERT_EQ(second.exit_code, 0) << second.errors;
    EXPECT_THAT(second.errors, HasSubstr("public.outbox is served by the outbox in schema public too"));
    database_.query("INSERT INTO outbox SELECT FROM generate_series(1, 3)");
    EXPECT_EQ(events_in("public"), 3);
    EXPECT_EQ(events_in("orders"), 3);
    for (const char* schema : {"public", "orders"}) {
        EXPECT_THAT(up(schema).errors, HasSubstr("public.outbox is served already"));
        const auto status = run(schema, {"status"});
        EXPECT_EQ(status.exit_code, 0) << status.errors;
        EXPECT_THAT(status.output, HasSubstr("served: public.outbox"));
    }
    const auto trigger = database_.value("SELECT tgname FROM pg_trigger WHERE tgname ~ '^outbox_capture_'");
    database_.query("ALTER TABLE outbox DISABLE TRIGGER " + trigger);
    EXPECT_EQ(run("public", {"status"}).exit_code, 0);
    EXPECT_THAT(run("orders", {"status"}).errors,
                HasSubstr("type: ALTER TABLE public.outbox ENABLE TRIGGER " + trigger));
    database_.query("ALTER TABLE outbox ENABLE TRIGGER " + trigger);

    EXPECT_EQ(run("public", {"unmap", "public.outbox"}).exit_code, 0);
    database_.query("INSERT INTO outbox DEFAULT VALUES");
    EXPECT_EQ(events_in("public"), 3);
    EXPECT_EQ(events_in("orders"), 4);
}

TEST_F(TwoOutboxes, MayServeOnePartitionedTableAndAMovedRowIsNoEventOfEither) {
    make_partitioned();
    serve("public");
    serve("orders");
    database_.query("INSERT INTO outbox DEFAULT VALUES");
    database_.query("UPDATE outbox SET aggregateid = 'b'");
    EXPECT_EQ(database_.number("SELECT count(*) FROM part_b"), 1);
    EXPECT_EQ(events_in("public"), 1);
    EXPECT_EQ(events_in("orders"), 1);
}

TEST_F(TwoOutboxes, AreToldApartWhenOneTakesTheFormerNameOfTheOther) {
    database_.query(plain_table);
    serve("orders");
    database_.query("ALTER SCHEMA orders RENAME TO former");
    EXPECT_EQ(run("orders", {"up"}).exit_code, 0);
    database_.query("INSERT INTO outbox DEFAULT VALUES");
    EXPECT_EQ(events_in("former"), 1);
    EXPECT_EQ(events_in("orders"), 0);
}

class RenamedSchema : public TwoOutboxes, public testing::WithParamInterface<bool> {
protected:
    RenamedSchema() {
        if (GetParam()) {
            make_partitioned();
        } else {
            database_.query(plain_table);
        }
    }
    std::string function_text() {
        return database_.value("SELECT prosrc FROM pg_proc WHERE proname ~ '^outbox_capture_'");
    }
};

TEST_P(RenamedSchema, OfTheOutboxDoesNotStopTheWritersOfATableThatItServes) {
    serve("orders");
    database_.query("ALTER SCHEMA orders RENAME TO \"new 100% orders\"");
    database_.query("INSERT INTO outbox DEFAULT VALUES");
    const std::string now = "\"new 100% orders\"";
    EXPECT_EQ(events_in(now), 1);
    EXPECT_EQ(run("new 100% orders", {"status"}).exit_code, 0);
    const auto up = run("new 100% orders", {"up"});
    EXPECT_EQ(up.exit_code, 0) << up.errors;
    EXPECT_THAT(up.errors,
                HasSubstr("public.outbox is served by a function that follows the outbox's schema now"));
    EXPECT_THAT(function_text(),
                AllOf(HasSubstr(now + ".outbox_events"), Not(HasSubstr(" orders.outbox_events"))));
    database_.query("INSERT INTO outbox DEFAULT VALUES");
    EXPECT_EQ(events_in(now), 2);
    EXPECT_THAT(run("new 100% orders", {"up"}).errors, Not(HasSubstr("follows")));
    EXPECT_EQ(run("new 100% orders", {"unmap", "public.outbox"}).exit_code, 0);
    EXPECT_EQ(database_.number("SELECT count(*) FROM pg_proc WHERE proname ~ '^outbox_capture_'"), 0);
}

TEST_P(RenamedSchema, IsMendedByUpWhereAnOlderVersionMadeTheFunction) {
    serve("orders");
    // What an older version wrote.
    database_.query(
        "DO $$ DECLARE f regprocedure := (SELECT oid FROM pg_proc WHERE proname ~ '^outbox_capture_');"
        " body text := regexp_replace((SELECT prosrc FROM pg_proc WHERE oid = f),"
        " '    IF to_regclass.*    END IF;\\n(    INSERT)', '\\1'); BEGIN"
        " EXECUTE replace(pg_get_functiondef(f), (SELECT prosrc FROM pg_proc WHERE oid = f), body);"
        " UPDATE orders.outbox_captures SET body = (SELECT prosrc FROM pg_proc WHERE oid = f); END $$");
    ASSERT_THAT(function_text(), Not(HasSubstr("to_regclass")));
    database_.query("ALTER SCHEMA orders RENAME TO renamed");
    EXPECT_EQ(state_of(database_, "INSERT INTO outbox DEFAULT VALUES"), "42P01");
    const auto status = run("renamed", {"status"});
    EXPECT_EQ(status.exit_code, 1);
    EXPECT_THAT(status.errors, AllOf(HasSubstr("inserts fail"), HasSubstr("type: outbox-migrate up")));
    const auto up = run("renamed", {"up"});
    EXPECT_EQ(up.exit_code, 0) << up.errors;
    database_.query("INSERT INTO outbox DEFAULT VALUES");
    EXPECT_EQ(events_in("renamed"), 1);
    database_.query("ALTER SCHEMA renamed RENAME TO again");
    database_.query("INSERT INTO outbox DEFAULT VALUES");
    EXPECT_EQ(events_in("again"), 2);
    if (GetParam()) {
        database_.query("UPDATE outbox SET aggregateid = 'b'");
        EXPECT_EQ(events_in("again"), 2);
    }
}

INSTANTIATE_TEST_SUITE_P(Tables, RenamedSchema, testing::Bool(),
                         [](const auto& each) { return each.param ? "Partitioned" : "Plain"; });

} // namespace
} // namespace outbox::migrations
