// A table that is served, until somebody changes it so that its rows do not become events any more.

#include "fixture.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

namespace outbox::migrations {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

struct Change {
    std::string name;
    std::vector<std::string> statements; ///< "{function}" stands for the trigger's
    std::string told;
    std::vector<std::string> mend = {}; ///< statements, as the line says
    bool up = false;                    ///< then up with the table's --config
    std::string unmap = {};             ///< then this
    // NOLINTNEXTLINE(readability-identifier-naming)
    friend void PrintTo(const Change& change, std::ostream* to) { *to << change.name; }
};

class Unserved : public testing::TestWithParam<Change> {
protected:
    Unserved() {
        database_.query(
            "CREATE TABLE outbox (id uuid PRIMARY KEY, aggregatetype varchar(255) NOT NULL, aggregateid "
            "varchar(255) NOT NULL, type varchar(255) NOT NULL, payload jsonb NOT NULL)");
        folder_.write("outbox.toml", "[table]\nname = 'outbox'\n");
        EXPECT_EQ(up().exit_code, 0);
    }
    Outcome up() {
        return migrate(database_, {"up", "--config", folder_.path("outbox.toml"), "--existing=ignore"});
    }
    Outcome relay_status() {
        return support::run({{support::program("outbox-relay"), "status"}, database_.environment()});
    }
    void write() {
        database_.query(
            "INSERT INTO outbox VALUES (gen_random_uuid(), 'order', 'o-1', 'order.placed', '{}')");
    }
    void change(const std::vector<std::string>& statements) {
        const auto function = database_.value("SELECT function FROM outbox_captures");
        for (std::string sql : statements) {
            if (const auto at = sql.find("{function}"); at != std::string::npos) {
                sql.replace(at, 10, function);
            }
            database_.query(sql);
        }
    }
    void expect_well() {
        for (const auto& outcome : {migrate(database_, {"status"}), migrate(database_, {"up"})}) {
            EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
        }
        EXPECT_THAT(migrate(database_, {"status"}).output, HasSubstr("served: "));
        EXPECT_THAT(relay_status().output, Not(HasSubstr("alarm")));
    }

    Folder folder_;
    Role owner_; ///< of the function, in one test; outlives the database
    TestDatabase database_;
};

TEST_P(Unserved, IsAnErrorOfStatusAndUpThatSaysWhatToType) {
    expect_well();
    change(GetParam().statements);
    for (const auto& outcome : {migrate(database_, {"status"}), migrate(database_, {"up"})}) {
        EXPECT_EQ(outcome.exit_code, 1);
        EXPECT_THAT(outcome.errors, HasSubstr(GetParam().told));
        EXPECT_THAT(outcome.errors, HasSubstr("; type: "));
        EXPECT_THAT(outcome.output, Not(HasSubstr("served: public.outbox ")));
    }
    EXPECT_THAT(relay_status().output, HasSubstr("alarm: " + GetParam().told));

    change(GetParam().mend);
    if (GetParam().up) {
        const auto outcome = up();
        if (GetParam().unmap.empty()) {
            EXPECT_THAT(outcome.errors, Not(HasSubstr("; type: ")));
        }
    }
    if (!GetParam().unmap.empty()) {
        EXPECT_EQ(migrate(database_, {"unmap", GetParam().unmap}).exit_code, 0);
    }
    const auto status = migrate(database_, {"status"});
    EXPECT_EQ(status.exit_code, 0) << status.errors;
    if (GetParam().up || GetParam().unmap.empty()) {
        write();
        EXPECT_EQ(database_.number("SELECT count(*) FROM outbox_events"), 1);
        expect_well();
    }
}

INSTANTIATE_TEST_SUITE_P(
    Tables, Unserved,
    testing::Values(
        Change{.name = "TriggerDropped",
               .statements = {"DROP TRIGGER outbox_capture ON outbox"},
               .told = "table public.outbox is not served any more: its trigger outbox_capture is gone",
               .up = true},
        Change{.name = "TriggerDisabled",
               .statements = {"ALTER TABLE outbox DISABLE TRIGGER ALL"},
               .told = "table public.outbox is not served: its trigger outbox_capture is disabled",
               .mend = {"ALTER TABLE public.outbox ENABLE TRIGGER outbox_capture"}},
        Change{.name = "TriggerForReplicas",
               .statements = {"ALTER TABLE outbox ENABLE REPLICA TRIGGER outbox_capture"},
               .told = "table public.outbox is not served: its trigger outbox_capture is for replicas alone",
               .mend = {"ALTER TABLE public.outbox ENABLE TRIGGER outbox_capture"}},
        Change{.name = "FunctionReplaced",
               .statements = {"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS "
                              "'BEGIN RETURN NULL; END'"},
               .told = "table public.outbox: somebody has replaced the function of its trigger",
               .up = true},
        Change{.name = "TriggerOfAnotherFunction",
               .statements =
                   {"CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
                    "DROP TRIGGER outbox_capture ON outbox",
                    "CREATE TRIGGER outbox_capture AFTER INSERT ON outbox EXECUTE FUNCTION nothing()"},
               .told = "table public.outbox: somebody has replaced the function of its trigger",
               .mend = {"DROP TRIGGER outbox_capture ON outbox"},
               .up = true},
        Change{.name = "AnotherTableOfItsName",
               .statements = {"ALTER TABLE outbox RENAME TO outbox_old",
                              "CREATE TABLE outbox (LIKE outbox_old INCLUDING ALL)"},
               .told = "table public.outbox is another one than the table that is served, which is "
                       "public.outbox_old",
               .up = true,
               .unmap = "public.outbox_old"},
        Change{.name = "AnotherTableAndTheFirstDropped",
               .statements = {"CREATE TABLE outbox_new (LIKE outbox INCLUDING ALL)", "DROP TABLE outbox",
                              "ALTER TABLE outbox_new RENAME TO outbox"},
               .told = "table public.outbox was served and is gone",
               .mend = {},
               .unmap = "public.outbox"},
        Change{.name = "Dropped",
               .statements = {"DROP TABLE outbox"},
               .told = "table public.outbox was served and is gone",
               .unmap = "outbox"},
        Change{.name = "ColumnRenamed",
               .statements = {"ALTER TABLE outbox RENAME payload TO body"},
               .told = "table public.outbox: inserts fail, for column payload is gone",
               .mend = {"ALTER TABLE outbox RENAME body TO payload"}},
        Change{
            .name = "ColumnOfAnotherType",
            .statements = {"ALTER TABLE outbox ALTER id TYPE text"},
            .told =
                "table public.outbox: a column that becomes part of an event has another type: id (text, was "
                "uuid)",
            .up = true},
        Change{.name = "PartOfAnother",
               .statements = {"CREATE TABLE whole (LIKE outbox) PARTITION BY LIST (aggregatetype)",
                              "ALTER TABLE whole ATTACH PARTITION outbox DEFAULT"},
               .told = "table public.outbox belongs to whole now",
               .mend = {"ALTER TABLE whole DETACH PARTITION outbox"}},
        Change{.name = "Inherited",
               .statements = {"CREATE TABLE kid () INHERITS (outbox)"},
               .told = "table public.outbox is inherited by kid",
               .mend = {"ALTER TABLE kid NO INHERIT public.outbox"}}),
    [](const auto& each) { return each.param.name; });

class Served : public Unserved {};

TEST_F(Served, WhatDoesNotHarmIsNoAlarm) {
    for (const auto* harmless :
         {"ALTER TABLE outbox ENABLE ALWAYS TRIGGER outbox_capture", "ALTER TABLE outbox RENAME TO renamed",
          "ALTER TABLE renamed ADD note text", "ALTER TABLE renamed ALTER type TYPE text",
          "ALTER TABLE renamed DROP note", "ALTER TABLE renamed RENAME TO outbox", "VACUUM FULL outbox"}) {
        database_.query(harmless);
        SCOPED_TRACE(harmless);
        expect_well();
    }
}

TEST_F(Served, APartitionWhoseTriggerIsOffIsNamed) {
    database_.query("DROP TABLE outbox");
    ASSERT_EQ(migrate(database_, {"unmap", "outbox"}).exit_code, 0);
    database_.query(
        "CREATE TABLE outbox (id uuid, aggregatetype text NOT NULL, aggregateid text NOT NULL, type text NOT "
        "NULL, payload jsonb NOT NULL) PARTITION BY LIST (aggregatetype)");
    database_.query("CREATE TABLE outbox_orders PARTITION OF outbox DEFAULT");
    ASSERT_EQ(up().exit_code, 0);
    expect_well();
    database_.query("ALTER TABLE outbox_orders DISABLE TRIGGER outbox_capture");
    const auto outcome = migrate(database_, {"status"});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors, HasSubstr("of its partition outbox_orders is off"));
    database_.query("ALTER TABLE outbox_orders ENABLE TRIGGER outbox_capture");
    expect_well();
}

TEST_F(Served, WhatCannotBeReadAsATablesNameIsNamedByUnmap) {
    for (const char* name : {"a b.c.d e", "My Table.Orders", "a.b.c.d", "\"open"}) {
        const auto outcome = migrate(database_, {"unmap", name});
        EXPECT_NE(outcome.exit_code, 0) << name;
        EXPECT_THAT(outcome.errors, HasSubstr(name));
        EXPECT_THAT(outcome.errors, HasSubstr("outbox-migrate status"));
        EXPECT_EQ(std::count(outcome.errors.begin(), outcome.errors.end(), '\n'), 1) << outcome.errors;
    }
    expect_well();
}

/// The function of its trigger has its owner's rights.
class ServedByARole : public Served {
protected:
    void expect_told(const std::string& statement) {
        for (const auto& outcome : {migrate(database_, {"status"}), migrate(database_, {"up"})}) {
            EXPECT_EQ(outcome.exit_code, 1);
            EXPECT_THAT(outcome.errors,
                        HasSubstr("table public.outbox: inserts fail, for role " + owner_.name()));
            EXPECT_THAT(outcome.errors, HasSubstr(statement));
        }
        EXPECT_THAT(relay_status().output, HasSubstr("alarm: table public.outbox: inserts fail"));
    }
};

TEST_F(ServedByARole, WhatItsOwnerMayNotDoAnyMoreIsNamedWithTheStatement) {
    const std::string grant = "GRANT INSERT ON public.outbox_events TO " + owner_.name() + ";";
    const std::string use = "GRANT USAGE ON SCHEMA public TO " + owner_.name() + ";";
    const std::string execute = "GRANT EXECUTE ON FUNCTION outbox_bucket(text) TO " + owner_.name() + ";";
    change({"ALTER FUNCTION {function} OWNER TO " + owner_.name()});
    EXPECT_THROW(write(), std::exception);
    expect_told(grant);
    database_.query(grant);
    write();
    expect_well();
    database_.query("REVOKE USAGE ON SCHEMA public FROM PUBLIC");
    EXPECT_THROW(write(), std::exception);
    expect_told(use);
    database_.query(use);
    write();
    expect_well();
    database_.query("REVOKE EXECUTE ON FUNCTION outbox_bucket(text) FROM PUBLIC");
    expect_told(execute);
    database_.query(execute);
    write();
    expect_well();
    change({"ALTER FUNCTION {function} SECURITY INVOKER"});
    expect_told("SECURITY DEFINER;");
}

TEST_F(Served, BeforeItWasWrittenDownIsKnownAfterUp) {
    std::ifstream step(OUTBOX_SOURCE_DIR "/migrations/outbox/0025_outbox_add_values.down.sql");
    database_.query(std::string(std::istreambuf_iterator<char>(step), {}));
    for (const auto* sql :
         {"DROP VIEW outbox_health", "DROP FUNCTION outbox_shard_health()",
          "DROP FUNCTION outbox_read_health(regclass)", "DROP TABLE outbox_captures",
          "ALTER TABLE outbox_relays DROP COLUMN hindered", "ALTER TABLE outbox_meta DROP COLUMN doorbell",
          "ALTER TABLE outbox_meta DROP COLUMN origin", "DROP FUNCTION outbox_refuse_old_relay CASCADE",
          "ALTER TABLE outbox_relays DROP COLUMN made_for", "DROP FUNCTION outbox_refuse_old_owner CASCADE",
          "DROP TABLE outbox_slots", "ALTER TABLE outbox_shards DROP COLUMN slot, DROP COLUMN slot_epoch",
          "ALTER TABLE outbox_meta DROP COLUMN sent_deleted_since",
          "DELETE FROM outbox_migrations WHERE version >= 21"}) {
        database_.query(sql);
    }
    const auto upgraded = migrate(database_, {"up"});
    ASSERT_EQ(upgraded.exit_code, 0) << upgraded.errors;
    expect_well();
    EXPECT_EQ(
        database_.value("SELECT string_agg(key || ' ' || value, ', ' ORDER BY key) FROM outbox_captures,"
                        " jsonb_each_text(columns)"),
        "aggregateid character varying, aggregatetype character varying, id uuid, payload jsonb, type "
        "character "
        "varying");
    database_.query("ALTER TABLE outbox DISABLE TRIGGER outbox_capture");
    EXPECT_EQ(migrate(database_, {"up"}).exit_code, 1);
}

} // namespace
} // namespace outbox::migrations
