#include "fixture.hpp"

#include <outbox/support/pgbouncer.hpp>
#include <outbox/support/role.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace outbox::relays {
namespace {

using Usage = Operator;

TEST_F(Usage, WhatIsNotUnderstoodEndsWith2AndOneLineAndDoesNothing) {
    const std::string id = "00000000-0000-4000-8000-000000000001";
    const std::vector<Words> mistakes{{"sideways"},
                                      {"status", "now"},
                                      {"status", "--force"},
                                      {"--json"},
                                      {"--id", id},
                                      {"retry"},
                                      {"retry", "--id", "7"},
                                      {"retry", "--id", id, "--event-type", "x"},
                                      {"retry", "--failed-since", "the day before"},
                                      {"retry", "--topic", "x"},
                                      {"skip", "--id", id},
                                      {"skip", "--id", id, "--reason="},
                                      {"skip", "--reason", "x"},
                                      {"pause", "--topic", "x", "--shard", "1"},
                                      {"pause", "--shard", "x"},
                                      {"pause", "--shard", "64"},
                                      {"resume", "--id", id},
                                      {"reshard"},
                                      {"reshard", "0"},
                                      {"reshard", "65"},
                                      {"reshard", "four"},
                                      {"reshard", "4", "5"},
                                      {"reshard", "4", "--shard", "1"},
                                      {"adopt", "--apply"},
                                      {"reconcile", "now"},
                                      {"reconcile", "--id", id}};
    for (const Words& words : mistakes) {
        const auto outcome = verb(words);
        EXPECT_EQ(outcome.exit_code, 2) << fmt::format("{}", fmt::join(words, " ")) << outcome.errors;
        EXPECT_THAT(outcome.errors, testing::StartsWith("outbox-relay: "));
        EXPECT_EQ(std::count(outcome.errors.begin(), outcome.errors.end(), '\n'), 1) << outcome.errors;
        EXPECT_THAT(outcome.output, IsEmpty());
    }
    EXPECT_THAT(audit(), IsEmpty());
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_pauses"), 0);
}

TEST_F(Usage, VerbsThatNeedKafkaSaySoonThatNobodyAnswersThere) {
    ASSERT_EQ(verb({"status"}).exit_code, 1) << "no relay has run";
    for (const Words& words : {Words{"adopt"}, Words{"reconcile"}, Words{"reshard", "4"}}) {
        const auto began = SteadyClock::now();
        const auto outcome = verb(words, {{"KAFKA_BROKERS", "127.0.0.1:1"}});
        EXPECT_LT(SteadyClock::now() - began, 30s) << words[0];
        EXPECT_EQ(outcome.exit_code, 1) << words[0];
        EXPECT_THAT(outcome.errors, HasSubstr("no Kafka broker answered in time at 127.0.0.1:1")) << words[0];
        EXPECT_EQ(std::count(outcome.errors.begin(), outcome.errors.end(), '\n'), 1) << outcome.errors;
    }
}

TEST_F(Usage, APoolerBetweenRelayAndDatabaseIsNamedInOneLineWithoutWaitingForKafka) {
    const support::PgBouncer pooler;
    auto variables = pooler.variables();
    variables["KAFKA_BROKERS"] = "127.0.0.1:1";
    for (const Words& words : {Words{}, Words{"status"}, Words{"pause"}}) {
        const auto outcome = verb(words, variables);
        EXPECT_EQ(outcome.exit_code, 1);
        EXPECT_THAT(outcome.errors,
                    testing::StartsWith("outbox-relay: a connection pooler (such as PgBouncer)"));
        EXPECT_THAT(outcome.errors, HasSubstr("let DB_HOST and DB_PORT name PostgreSQL itself"));
        EXPECT_EQ(std::count(outcome.errors.begin(), outcome.errors.end(), '\n'), 1) << outcome.errors;
    }
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_pauses"), 0);
}

/// Before the database, which has to go first.
struct LoginRoles {
    support::Role app;
    support::Role relay_role;
    support::Role role;
};

/// A login role with what deploy/postgres/roles.sql grants an operator.
class OperatorRole : protected LoginRoles, public Operator {
protected:
    OperatorRole() { support::grant_least(database, app, relay_role, &role); }

    std::string state_of(const std::string& sql) const {
        auto options = database.options();
        options.user = role.name();
        options.password = role.password();
        auto session = postgres::Connection::open(options, Deadline::in(30s));
        try {
            script(session, sql);
            return "accepted";
        } catch (const postgres::DatabaseError& error) {
            return error.sqlstate();
        }
    }
};

TEST_F(OperatorRole, HasWhatTheVerbsNeedAndNoMore) {
    const Process relay = ready_relay();
    const auto failed = insert({.key = "a", .topic = "no/such topic", .max_retries = 1});
    ASSERT_TRUE(wait_status(failed, "FAILED")) << relay.errors();
    for (const Words& words :
         std::vector<Words>{{"status"},
                            {"retry", "--event-type", "user.created"},
                            {"pause"},
                            {"skip", "--event-type", "user.created", "--reason", "x", "--force"},
                            {"resume"},
                            {"pause", "--shard", "1"},
                            {"resume", "--shard", "1"},
                            {"reshard", "5"}}) {
        const auto outcome = verb(words, role.variables());
        EXPECT_EQ(outcome.exit_code, 0) << words[0] << ": " << outcome.errors;
    }
    EXPECT_EQ(state_of("SELECT event_data FROM outbox_events"), "42501");
    EXPECT_EQ(state_of("UPDATE outbox_events SET topic = 'x'"), "42501");
    EXPECT_EQ(state_of("DELETE FROM outbox_audit"), "42501");
    EXPECT_EQ(state_of("UPDATE outbox_audit SET why = 'x'"), "42501");
    EXPECT_EQ(state_of("UPDATE outbox_shards SET marked_batch = 9"), "42501");
}

} // namespace
} // namespace outbox::relays
