#include "fixture.hpp"

#include <outbox/core/error.hpp>
#include <outbox/migrate/runner.hpp>
#include <outbox/support/ports.hpp>

#include <gmock/gmock.h>

#include <thread>

namespace outbox::migrations {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

std::vector<Migration> one_file(const std::string& sql) {
    return {{.version = 1, .name = "a", .up = sql, .down = std::nullopt, .checksum = {}}};
}

/// @return why `up` failed.
std::string failure_of_up(const postgres::ConnectOptions& options, const std::string& sql,
                          const Patience& patience) {
    try {
        Runner(
            options, one_file(sql), [](std::string_view) {}, patience)
            .up(std::nullopt);
        return "it did not fail";
    } catch (const Error& error) {
        return error.what();
    }
}

TEST(MigrateDeadline, OfConnectingHoldsAgainstAServerThatNeverAnswers) {
    const support::SilentServer server;
    auto options = support::server_options("any");
    options.host = "127.0.0.1";
    options.port = server.port();
    const auto started = SteadyClock::now();
    EXPECT_THAT(failure_of_up(options, "SELECT 1", {.connect = 300ms}), HasSubstr("no answer in time"));
    EXPECT_LT(SteadyClock::now() - started, 5s);
}

TEST(MigrateDeadline, OfTheLockHoldsAgainstOneThatNeverLetsGo) {
    TestDatabase database(TestDatabase::Start::empty);
    database.query("SELECT pg_advisory_lock(1868693508, 0)");
    const auto started = SteadyClock::now();
    EXPECT_THAT(failure_of_up(database.options(), "CREATE TABLE a ()", {.lock = 300ms}),
                HasSubstr("another one still migrates this database"));
    EXPECT_LT(SteadyClock::now() - started, 10s);
    EXPECT_EQ(database.value("SELECT to_regclass('a')"), "NULL");
}

TEST(MigrateDeadline, OfAFileHoldsAgainstAStatementThatNeverEndsAndKeepsNothing) {
    TestDatabase database(TestDatabase::Start::empty);
    const auto started = SteadyClock::now();
    EXPECT_THAT(failure_of_up(database.options(), "CREATE TABLE a (); SELECT pg_sleep(20)", {.step = 500ms}),
                HasSubstr("0001_a.up.sql failed, and nothing of it was kept"));
    EXPECT_LT(SteadyClock::now() - started, 10s);
    EXPECT_EQ(database.value("SELECT to_regclass('a')"), "NULL");
    EXPECT_EQ(database.value("SELECT to_regclass('outbox_migrations')"), "NULL");
}

TEST(MigrateDeadline, IsNotCutByAStatementTimeoutOfTheRole) {
    const Role role;
    TestDatabase database(TestDatabase::Start::empty);
    database.query("GRANT CREATE ON SCHEMA public TO \"" + role.name() + "\"");
    on_server("ALTER ROLE \"" + role.name() + "\" SET statement_timeout = '200ms'");
    auto options = database.options();
    options.user = role.name();
    options.password = role.password();
    EXPECT_EQ(failure_of_up(options, "SELECT pg_sleep(0.6)", {}), "it did not fail");
}

} // namespace
} // namespace outbox::migrations
