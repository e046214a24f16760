// The outbox's tables and the example's, and what stood there before both.

#include "fixture.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <fstream>

namespace outbox::migrations {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

constexpr auto an_event =
    "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic) "
    "VALUES (gen_random_uuid(), 'user', 'u1', 'user.created', '{}', 'user-events')";

constexpr auto a_foreign_table = "CREATE TABLE users (id bigint PRIMARY KEY, login text);"
                                 " COMMENT ON TABLE users IS 'our customers';"
                                 " INSERT INTO users SELECT i, 'u' || i FROM generate_series(1, 1000) AS i";

class Sets : public testing::Test {
protected:
    bool has(const std::string& table) {
        return database_.value("SELECT to_regclass('" + table + "')") != "NULL";
    }
    std::string comment(const std::string& table) {
        return database_.value("SELECT obj_description('" + table + "'::regclass, 'pg_class')");
    }
    Outcome ok(const Words& words) {
        Outcome outcome = migrate(database_, words);
        EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
        return outcome;
    }
    Outcome refused(const Words& words, const std::string& why) {
        Outcome outcome = migrate(database_, words);
        EXPECT_EQ(outcome.exit_code, 1) << outcome.errors;
        EXPECT_THAT(outcome.errors, HasSubstr(why));
        return outcome;
    }
    /// How many steps of the outbox are applied.
    std::string outbox_steps() { return database_.value("SELECT count(*) FROM outbox_migrations"); }

    TestDatabase database_{TestDatabase::Start::empty};
};

TEST_F(Sets, AForeignTableOfAnExamplesNameLeavesTheExampleOutAndIsNotTouched) {
    database_.query(a_foreign_table);
    const Outcome up = ok({"up"});
    EXPECT_THAT(up.errors, HasSubstr("the worked example is left out: users stands here already"));
    EXPECT_FALSE(has("idempotency_keys"));
    EXPECT_EQ(comment("users"), "our customers");
    EXPECT_THAT(ok({"status"}).output, ContainsRegex("0001 +users +left out +-"));
    EXPECT_EQ(state_of(database_, an_event), "accepted");
    EXPECT_THAT(ok({"up"}).errors, HasSubstr("there was nothing to do"));
    ok({"down", outbox_steps(), "--yes"});
    EXPECT_EQ(database_.number("SELECT count(*) FROM users"), 1000);
}

TEST_F(Sets, OtherThingsOfAnExamplesNameDoTheSame) {
    for (const char* thing :
         {"CREATE VIEW users AS SELECT 1 AS id", "CREATE TYPE users AS ENUM ('a')",
          "CREATE TABLE idempotency_keys (key uuid)", "CREATE SEQUENCE idempotency_keys",
          // NOLINTNEXTLINE(bugprone-suspicious-missing-comma)
          "CREATE TABLE users (id uuid, email varchar(255), name varchar(255), created_at timestamptz, "
          "updated_at timestamptz) PARTITION BY HASH (id)"}) {
        TestDatabase database(TestDatabase::Start::empty);
        database.query(thing);
        const Outcome up = migrate(database, {"up"});
        EXPECT_EQ(up.exit_code, 0) << thing << up.errors;
        EXPECT_THAT(up.errors, HasSubstr("the worked example is left out")) << thing;
        EXPECT_EQ(state_of(database, an_event), "accepted");
    }
}

TEST_F(Sets, OneCanBeHadWithoutTheOther) {
    ok({"up", "--set=outbox"});
    EXPECT_TRUE(has("outbox_events"));
    EXPECT_FALSE(has("users"));
    EXPECT_FALSE(has("outbox_example_migrations"));
    ok({"up"});
    EXPECT_FALSE(has("users")) << "an upgrade brings no table that was not wanted before";
    ok({"up", "--set=example"});
    EXPECT_TRUE(has("users"));
    EXPECT_EQ(ok({"version", "--set=example"}).output, "4\n");
    ok({"down", "2", "--set=example"});
    EXPECT_FALSE(has("users"));
    EXPECT_FALSE(has("outbox_example_migrations"));
    EXPECT_TRUE(has("outbox_events"));
    ok({"up", "--set=all"});
    EXPECT_TRUE(has("users"));
    EXPECT_EQ(migrate(database_, {"up", "--set=both"}).exit_code, 2);
}

TEST_F(Sets, TheExampleAloneIsRefusedWhereItsNamesAreTaken) {
    database_.query(a_foreign_table);
    refused({"up", "--set=example"}, "users stands here already and is not the example's");
    EXPECT_FALSE(has("outbox_example_migrations"));
    EXPECT_FALSE(has("outbox_migrations"));
}

TEST_F(Sets, ADumpWithoutCommentsTakesNothingFromTheApplication) {
    database_.query(
        "CREATE TABLE users (id UUID PRIMARY KEY, email VARCHAR(255) UNIQUE NOT NULL, name "
        "VARCHAR(255) NOT NULL, created_at TIMESTAMPTZ, updated_at TIMESTAMPTZ);"
        " INSERT INTO users VALUES (gen_random_uuid(), 'a', 'A'); COMMENT ON TABLE users IS 'ours'");
    ok({"up"});
    EXPECT_EQ(comment("users"), "ours");
    EXPECT_THAT(ok({"status"}).output, ContainsRegex("0001 +users +adopted"));
    database_.query("COMMENT ON TABLE users IS NULL");
    ok(all_down());
    EXPECT_EQ(database_.number("SELECT count(*) FROM users"), 1);
    EXPECT_FALSE(has("outbox_events"));
}

TEST_F(Sets, TheCommentOfAnAdoptedOutboxStaysItsOwners) {
    database_.query(
        "CREATE TABLE outbox_events (id UUID PRIMARY KEY, aggregate_type VARCHAR(255) NOT NULL,"
        " aggregate_id VARCHAR(255) NOT NULL, event_type VARCHAR(255) NOT NULL, event_data JSONB NOT "
        "NULL, status VARCHAR(50) DEFAULT 'NEW', topic VARCHAR(255) NOT NULL, partition_key "
        "VARCHAR(255), created_at TIMESTAMPTZ, processed_at TIMESTAMPTZ, retry_count INTEGER DEFAULT 0,"
        " max_retries INTEGER DEFAULT 3, error_message TEXT); COMMENT ON TABLE outbox_events IS 'it''s \\'");
    ok({"up"});
    EXPECT_EQ(comment("outbox_events"), "it's \\");
    database_.query(an_event);
    ok(all_down());
    EXPECT_EQ(comment("outbox_events"), "it's \\");
    EXPECT_EQ(database_.number("SELECT count(*) FROM outbox_events"), 1);
}

TEST_F(Sets, DownNamesTheRowsThatWouldBeLostAndAsks) {
    ok({"up"});
    for (int i = 0; i < 3; ++i) {
        database_.query(an_event);
    }
    refused(all_down(), "3 row(s) of outbox_events");
    EXPECT_EQ(database_.number("SELECT count(*) FROM outbox_events"), 3);
    EXPECT_EQ(ok({"version"}).output, fmt::format("{}\n", newest_migration()));
    Words words = all_down();
    words.emplace_back("--yes");
    ok(words);
    EXPECT_FALSE(has("outbox_events"));
}

TEST_F(Sets, DownIsRefusedWhileARelayLives) {
    ok({"up"});
    auto relay = database_.connect();
    const Deadline deadline = Deadline::in(std::chrono::seconds(30));
    relay.script("INSERT INTO outbox_relays (relay, name, lease, made_for) VALUES (gen_random_uuid(), "
                 "'host:7', '1 h', 31);"
                 " SELECT pg_advisory_lock(1868693507, lock_key::integer) FROM outbox_relays",
                 deadline);
    refused({"down", "--yes"}, "relays are alive (host:7): stop them first");
    relay.close();
    database_.query("DELETE FROM outbox_relays");
    ok({"down", "--yes"});
}

TEST_F(Sets, ATableOfTheOutboxsNamesIsRefusedByItsNameAndNothingIsLeft) {
    database_.query("CREATE TABLE outbox_relays (id bigint)");
    const Outcome up = refused({"up"}, R"(relation "outbox_relays" already exists)");
    EXPECT_THAT(up.errors, HasSubstr("DB_SCHEMA"));
    EXPECT_FALSE(has("outbox_migrations"));
    EXPECT_FALSE(has("outbox_events"));
    EXPECT_FALSE(has("users"));
}

TEST_F(Sets, ATableThatCannotBeServedIsRefusedBeforeThereIsAnOutbox) {
    const Folder folder;
    folder.write("outbox.toml", "[table]\nname = 'orders'\n");
    database_.query("CREATE TABLE orders (id bigint, payload jsonb)");
    refused({"up", "--config", folder.path("outbox.toml")}, "\"public\".\"orders\"");
    EXPECT_FALSE(has("outbox_migrations"));
    EXPECT_FALSE(has("outbox_events"));
}

/// A database as outbox-migrate of version 0.1 left it: the same files, and one history of both sets.
class Version01 : public Sets {
protected:
    void up01(int last = 10) {
        database_.query("CREATE TABLE outbox_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, "
                        "checksum TEXT NOT NULL, applied_at TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(), "
                        "duration_ms BIGINT NOT NULL)");
        for (const std::string& name : shipped_migrations()) {
            const int version = std::stoi(name);
            if (version > last) {
                break;
            }
            const bool example = version == 1 || version == 4;
            std::ifstream file(fmt::format("{}/migrations/{}/{}.up.sql", OUTBOX_SOURCE_DIR,
                                           example ? "example" : "outbox", name));
            const std::string text{std::istreambuf_iterator<char>(file), {}};
            database_.query("BEGIN; " + text + "; COMMIT");
            database_.query(
                "INSERT INTO outbox_migrations (version, name, checksum, duration_ms) SELECT $1::int, "
                "$2, encode(sha256(convert_to($3, 'UTF8')), 'hex'), 1",
                {std::to_string(version), name.substr(5), text});
        }
    }
};

TEST_F(Version01, UpgradesWithoutAHandAndKeepsEveryRow) {
    up01();
    database_.query(an_event);
    database_.query("INSERT INTO users VALUES (gen_random_uuid(), 'a@example.com', 'A')");
    EXPECT_EQ(ok({"version"}).output, "10\n");
    EXPECT_THAT(ok({"status"}).output, Not(HasSubstr("missing")));
    ok({"up"});
    EXPECT_EQ(ok({"version"}).output, fmt::format("{}\n", newest_migration()));
    EXPECT_EQ(database_.value("SELECT string_agg(version::text, ',' ORDER BY version) FROM "
                              "outbox_example_migrations"),
              "1,4");
    EXPECT_EQ(database_.number("SELECT count(*) FROM outbox_migrations WHERE version IN (1, 4)"), 0);
    EXPECT_EQ(database_.number("SELECT count(*) FROM outbox_events"), 1);
    EXPECT_EQ(state_of(database_, an_event), "accepted");
    EXPECT_THAT(ok({"up"}).errors, HasSubstr("there was nothing to do"));
}

TEST_F(Version01, WhatItAdoptedStaysAlsoAfterADumpWithoutComments) {
    for (const bool comments : {true, false}) {
        database_.query("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
        database_.query(a_foreign_table);
        up01();
        database_.query(an_event);
        if (!comments) {
            database_.query("COMMENT ON TABLE users IS NULL");
        }
        ok({"up"});
        EXPECT_EQ(database_.value("SELECT coalesce(obj_description('users'::regclass, 'pg_class'), '-')"),
                  "-");
        Words words = all_down();
        words.emplace_back("--yes");
        ok(words);
        EXPECT_EQ(database_.number("SELECT count(*) FROM users"), 1000);
        EXPECT_EQ(database_.number("SELECT count(*) FROM outbox_events"), 1) << "nobody can tell whose it is";
    }
}

TEST_F(Version01, DownWithoutUpKeepsWhatItAdopted) {
    database_.query(a_foreign_table);
    up01();
    database_.query("COMMENT ON TABLE users IS NULL");
    const Outcome down =
        migrate(database_, {"down", "10", "--set=all", "--dir=" OUTBOX_SOURCE_DIR "/migrations"});
    ASSERT_EQ(down.exit_code, 0) << down.errors;
    EXPECT_EQ(database_.number("SELECT count(*) FROM users"), 1000);
}

TEST_F(Version01, ThatStoodStillAtAForeignTableGoesOn) {
    database_.query("CREATE TABLE idempotency_keys (key uuid PRIMARY KEY)");
    up01(3);
    const Outcome up = ok({"up"});
    EXPECT_THAT(up.errors, HasSubstr("left out: idempotency_keys stands here already"));
    EXPECT_EQ(ok({"version", "--set=outbox"}).output, fmt::format("{}\n", newest_migration()));
    EXPECT_EQ(ok({"version", "--set=example"}).output, "1\n");
    EXPECT_TRUE(has("outbox_backfills"));
}

} // namespace
} // namespace outbox::migrations
