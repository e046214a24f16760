#include "fixture.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <regex>

namespace outbox::migrations {
namespace {

using testing::HasSubstr;

constexpr auto tables_sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' "
                            "ORDER BY 1";

const Rows all_tables{{"idempotency_keys"},
                      {"outbox_audit"},
                      {"outbox_backfills"},
                      {"outbox_blocked_keys"},
                      {"outbox_captures"},
                      {"outbox_events"},
                      {"outbox_example_migrations"},
                      {"outbox_health"},
                      {"outbox_lost_markers"},
                      {"outbox_meta"},
                      {"outbox_migrations"},
                      {"outbox_pauses"},
                      {"outbox_relays"},
                      {"outbox_shards"},
                      {"outbox_slots"},
                      {"outbox_topic_outages"},
                      {"outbox_topics"},
                      {"users"}};

TEST(MigrateUp, OnNothingCreatesDatabaseAndTables) {
    TestDatabase database(TestDatabase::Start::absent);
    const Outcome outcome = migrate(database, {"up"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_EQ(outcome.output, "") << "progress belongs to stderr";
    EXPECT_THAT(outcome.errors, HasSubstr("database \"" + database.name() + "\" created"));
    EXPECT_THAT(outcome.errors, HasSubstr("0002_outbox_events.up.sql done"));
    EXPECT_EQ(database.query(tables_sql), all_tables);
}

TEST(MigrateUp, KeepsAHistoryThatOthersCanCheck) {
    TestDatabase database;
    const Rows history =
        database.query("SELECT version, name, checksum ~ '^[0-9a-f]{64}$', duration_ms >= 0, "
                       "applied_at <= now() FROM (TABLE outbox_migrations UNION ALL TABLE "
                       "outbox_example_migrations) AS h ORDER BY version");
    Rows expected;
    for (const std::string& migration : shipped_migrations()) {
        expected.push_back({std::to_string(std::stoi(migration)), migration.substr(5), "t", "t", "t"});
    }
    EXPECT_EQ(history, expected);
}

TEST(MigrateUp, TheChecksumIsWhatSha256sumSays) {
    const Folder folder;
    folder.write("0001_a.up.sql", "SELECT 1;\r\n");
    TestDatabase database(TestDatabase::Start::empty);
    ASSERT_EQ(migrate(database, {"up", folder.option()}).exit_code, 0);
    const Outcome sum =
        support::run({.words = {"sh", "-c", "printf 'SELECT 1;\\r\\n' | sha256sum"}, .environment = {}});
    EXPECT_EQ(database.value("SELECT checksum FROM outbox_migrations"), sum.output.substr(0, 64));
}

TEST(MigrateUp, TwiceDoesNothingTheSecondTime) {
    TestDatabase database;
    const Rows before = database.query("SELECT * FROM outbox_migrations ORDER BY version");
    const Outcome outcome = migrate(database, {"up"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_THAT(outcome.errors, HasSubstr("there was nothing to do"));
    EXPECT_EQ(database.query("SELECT * FROM outbox_migrations ORDER BY version"), before);
}

TEST(MigrateUp, EightAtOnceOnNothingAllEndWellAndApplyEachFileOnce) {
    TestDatabase database(TestDatabase::Start::absent);
    std::vector<support::Process> processes;
    processes.reserve(8);
    for (int i = 0; i < 8; ++i) {
        processes.emplace_back(migrate_command(database, {"up"}));
    }
    std::string errors;
    for (auto& process : processes) {
        const Outcome outcome = process.wait(Deadline::in(std::chrono::seconds(60)));
        EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
        errors += outcome.errors;
    }
    EXPECT_EQ(database.query(tables_sql), all_tables);
    for (const std::string& file : shipped_migrations()) {
        const std::regex done(file + ".up.sql done");
        EXPECT_EQ(std::distance(std::sregex_iterator(errors.begin(), errors.end(), done), {}), 1) << errors;
    }
}

TEST(MigrateUp, WaitsForTheOtherOneAndSaysForWhomWithoutHoldingASnapshot) {
    TestDatabase database(TestDatabase::Start::empty);
    database.query("SET application_name = 'the other one'");
    database.query("SELECT pg_advisory_lock(1868693508, 0)");
    support::Process process(migrate_command(database, {"up"}));
    ASSERT_TRUE(process.wait_for_text("the other one, process " + database.value("SELECT pg_backend_pid()"),
                                      Deadline::in(std::chrono::seconds(20))))
        << process.errors();
    for (int i = 0; i < 20; ++i) {
        EXPECT_EQ(database.value("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"),
                  "0");
        EXPECT_EQ(
            database.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'outbox-migrate' "
                           "AND datname = current_database() AND state = 'idle in transaction'"),
            "0");
    }
    EXPECT_TRUE(process.running());
    EXPECT_EQ(database.value("SELECT to_regclass('outbox_migrations')"), "NULL") << "it did not wait";
    database.query("SELECT pg_advisory_unlock_all()");
    EXPECT_EQ(process.wait(Deadline::in(std::chrono::seconds(30))).exit_code, 0);
    EXPECT_EQ(database.query(tables_sql), all_tables);
}

TEST(MigrateDown, WithoutNumberTakesBackTheNewestStep) {
    TestDatabase database;
    const Outcome outcome = migrate(database, {"down"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    const auto count = static_cast<std::int64_t>(shipped_migrations().size());
    EXPECT_EQ(database.number("SELECT (SELECT count(*) FROM outbox_migrations) + count(*) FROM "
                              "outbox_example_migrations"),
              count - 1);
    EXPECT_EQ(database.value("SELECT max(version) FROM outbox_migrations"),
              std::to_string(std::stoi(shipped_migrations().at(static_cast<std::size_t>(count) - 2))));
}

TEST(MigrateDown, AllAndUpAgainGivesTheSameSchema) {
    constexpr auto columns =
        "SELECT table_name, column_name, data_type, column_default FROM information_schema.columns "
        "WHERE table_schema = 'public' ORDER BY table_name, ordinal_position";
    constexpr auto others =
        "SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace UNION ALL "
        "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' UNION ALL "
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal UNION ALL "
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1";
    TestDatabase database;
    const Rows before = database.query(columns);
    const Rows before_others = database.query(others);
    ASSERT_EQ(migrate(database, all_down()).exit_code, 0);
    EXPECT_EQ(database.query(tables_sql), (Rows{{"outbox_migrations"}}));
    EXPECT_EQ(database.query("SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"),
              Rows{});
    ASSERT_EQ(migrate(database, {"up"}).exit_code, 0);
    EXPECT_EQ(database.query(columns), before);
    EXPECT_EQ(database.query(others), before_others);
}

TEST(MigrateDown, OfMoreThanIsAppliedIsRefusedAndTakesNothing) {
    TestDatabase database;
    const Outcome outcome = migrate(database, {"down", "99"});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors,
                HasSubstr(fmt::format("down 99 asks for more than the {} step(s) that are applied",
                                      shipped_migrations().size())));
    EXPECT_EQ(migrate(database, {"version"}).output, fmt::format("{}\n", newest_migration()));
}

TEST(MigrateStatus, TellsAppliedAndPendingOnStdout) {
    TestDatabase database;
    ASSERT_EQ(migrate(database, {"down"}).exit_code, 0);
    const Outcome outcome = migrate(database, {"status"});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_EQ(outcome.errors, "");
    std::string expected = "version  name +state    applied_at\n"; // as wide as the longest name
    for (const std::string& migration : shipped_migrations()) {
        const bool newest = migration == shipped_migrations().back();
        expected +=
            fmt::format("{}     {} +{}\n", migration.substr(0, 4), migration.substr(5),
                        newest ? "pending  -" : "applied  \\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ");
    }
    EXPECT_TRUE(std::regex_match(outcome.output, std::regex(expected))) << outcome.output;
}

TEST(MigrateVersion, IsANumberOnStdout) {
    TestDatabase database;
    EXPECT_EQ(migrate(database, {"version"}).output, fmt::format("{}\n", newest_migration()));
    const TestDatabase empty(TestDatabase::Start::empty);
    EXPECT_EQ(migrate(empty, {"version"}).output, "0\n");
}

TEST(MigrateCommandLine, BadUsageEndsWithTwoAndDoesNothing) {
    TestDatabase database(TestDatabase::Start::absent);
    const std::vector<Words> mistakes{{},
                                      {"sideways"},
                                      {"down", "x"},
                                      {"down", "0"},
                                      {"up", "now"},
                                      {"up", "--processing=new"},
                                      {"--unknown"},
                                      {"up", "--dir=/nonexistent/folder"}};
    for (const Words& words : mistakes) {
        const Outcome outcome = migrate(database, words);
        EXPECT_EQ(outcome.exit_code, 2) << outcome.errors;
        EXPECT_THAT(outcome.errors, HasSubstr("outbox-migrate: "));
        EXPECT_EQ(outcome.output, "");
    }
    EXPECT_EQ(migrate(database, {"version"}).exit_code, 1) << "the database was created by bad usage";
}

} // namespace
} // namespace outbox::migrations
