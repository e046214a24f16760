// DB_SCHEMA: where the outbox stands, what it shares with another one (nothing), and what programs say about
// its version.

#include "fixture.hpp"

#include <outbox/core/wakeup.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace outbox::migrations {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string insert_into(const std::string& schema) {
    return "INSERT INTO " + schema +
           ".outbox_events (aggregate_type, aggregate_id, event_type, event_data, topic) "
           "VALUES ('user', 'u1', 'user.created', '{}', 'user-events')";
}

class OwnNames : public testing::Test {
protected:
    Outcome up(const std::string& schema, const Words& words = {"up"}) {
        return migrate(database_, words, {{"DB_SCHEMA", schema}});
    }
    Outcome run(const std::string& program, const Words& words, const std::string& schema = "public") {
        support::Command command{.words = {support::program(program)},
                                 .environment = database_.environment()};
        command.words.insert(command.words.end(), words.begin(), words.end());
        command.environment["DB_SCHEMA"] = schema;
        return support::run(command, 60s);
    }

    TestDatabase database_{TestDatabase::Start::empty};
};

TEST_F(OwnNames, ASchemaThatIsMissingAndNeedsQuotesIsMadeWhateverTheRolesPathIs) {
    const std::string name = R"(Or"ders, 1)";
    database_.query("CREATE SCHEMA trap; ALTER DATABASE " + database_.name() +
                    " SET search_path = trap, public");
    const auto made = up(name);
    ASSERT_EQ(made.exit_code, 0) << made.errors;
    EXPECT_EQ(database_.number("SELECT count(*) FROM pg_class WHERE relnamespace IN ('public'::regnamespace, "
                               "'trap'::regnamespace)"),
              0);
    EXPECT_EQ(state_of(database_, insert_into(R"("Or""ders, 1")")), "accepted");
    EXPECT_EQ(state_of(database_, R"(SELECT "Or""ders, 1".outbox_add('a', 'b', 'c', '{}', 'd'))"),
              "accepted");
    EXPECT_THAT(run("outbox-relay", {"status", "--json"}, name).output, HasSubstr("\"backlog\": 2"));
    const auto down = up(name, {"down", all_down()[1], "--yes"});
    EXPECT_EQ(down.exit_code, 0) << down.errors;
    EXPECT_EQ(state_of(database_, insert_into(R"("Or""ders, 1")")), "42P01");
    EXPECT_EQ(up("pg_catalog").exit_code, 1);
}

TEST_F(OwnNames, TheDoorbellOfOneOutboxIsNotHeardByAnother) {
    ASSERT_EQ(up("public").exit_code, 0);
    ASSERT_EQ(up("second").exit_code, 0);
    const Deadline deadline = Deadline::in(30s);
    const auto id = [&](const std::string& schema) {
        return database_.value("SELECT '" + schema + "'::regnamespace::oid");
    };
    auto first = database_.connect();
    auto second = database_.connect();
    for (const auto& [session, schema] : {std::pair(&first, "public"), std::pair(&second, "second")}) {
        session->script(
            fmt::format("LISTEN outbox_doorbell_{0}; SELECT pg_advisory_lock({0}, (1 << 28) + b) FROM "
                        "generate_series(0, 63) AS b",
                        id(schema)),
            deadline);
    }
    database_.query(insert_into("second"));
    database_.query("SELECT pg_notify('outbox_doorbell_" + id("public") + "', 'end')");
    const Wakeup wakeup;
    EXPECT_THAT(first.wait_notifications(wakeup.fd(), deadline), ElementsAre("end"));
    EXPECT_EQ(second.wait_notifications(wakeup.fd(), deadline).size(), 1U);
}

TEST_F(OwnNames, TheDoorbellIsSilentWhileSomebodyElsesNotificationsFillHalfOfTheQueue) {
    ASSERT_EQ(up("public").exit_code, 0);
    const Deadline deadline = Deadline::in(30s);
    const auto channel = doorbell_channel(database_);
    auto sleeper = database_.connect();
    sleeper.script("LISTEN " + channel +
                       "; SELECT pg_advisory_lock('public'::regnamespace::oid::integer, (1 << 28) + b)"
                       " FROM generate_series(0, 63) AS b",
                   deadline);
    database_.query(
        "CREATE OR REPLACE FUNCTION pg_catalog.pg_notification_queue_usage() RETURNS double precision "
        "LANGUAGE sql VOLATILE AS 'SELECT 0.6::double precision'");
    database_.query(insert_into("public"));
    database_.query("SELECT pg_notify('" + channel + "', 'end')");
    const Wakeup wakeup;
    EXPECT_THAT(sleeper.wait_notifications(wakeup.fd(), deadline), ElementsAre("end"));
}

TEST_F(OwnNames, AnOutboxThatTheRolesPathFindsGetsNoSecondOneUnseen) {
    ASSERT_EQ(up("app").exit_code, 0);
    database_.query("ALTER DATABASE " + database_.name() + " SET search_path = app, public");
    const auto again = up("public");
    EXPECT_EQ(again.exit_code, 1);
    EXPECT_THAT(again.errors, HasSubstr("type DB_SCHEMA=app with every program"));
    EXPECT_EQ(up("app").exit_code, 0);
    EXPECT_EQ(up("third").exit_code, 0);
}

TEST_F(OwnNames, ProgramsSayWhatToTypeWhenTheDatabaseIsNotTheirs) {
    const auto say = [&](const std::string& what) {
        for (const auto& [program, words] : {std::pair(std::string("outbox-relay"), Words{"status"}),
                                             std::pair(std::string("outbox-relay"), Words{"resume"}),
                                             std::pair(std::string("outbox-backfill"), Words{"list"})}) {
            const auto outcome = run(program, words);
            EXPECT_EQ(outcome.exit_code, 1) << program;
            EXPECT_THAT(outcome.errors, AllOf(HasSubstr(what), Not(HasSubstr("does not exist")))) << program;
        }
    };
    say("there is no outbox in schema public of database " + database_.name() + ": type outbox-migrate up");
    ASSERT_EQ(up("app").exit_code, 0);
    say("type outbox-migrate up; or DB_SCHEMA=app, where one stands");
    ASSERT_EQ(up("public").exit_code, 0);
    EXPECT_EQ(run("outbox-relay", {"resume"}).exit_code, 0);
    database_.query("DELETE FROM outbox_migrations WHERE version > 12");
    say("is at version 12, and this program needs");
    database_.query(
        "INSERT INTO outbox_migrations (version, name, checksum, duration_ms) VALUES (9000, 'x', '', 1)");
    say("is at version 9000, and this program knows");
    say("upgrade the program");
    database_.query("DROP FUNCTION outbox_schema_version()");
    say("is older than this program");
}

} // namespace
} // namespace outbox::migrations
