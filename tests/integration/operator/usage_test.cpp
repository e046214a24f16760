#include "fixture.hpp"

#include <outbox/core/uuid.hpp>

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
                                      {"resume", "--id", id}};
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

/// A login role with what deploy/postgres/roles.sql grants an operator.
class OperatorRole : public Operator {
protected:
    OperatorRole() {
        name_.erase(std::remove(name_.begin(), name_.end(), '-'), name_.end());
        database.query("CREATE ROLE " + name_ + " LOGIN PASSWORD 'p'");
        const auto options = database.options();
        const auto granted = support::run(
            {.words = {"psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-v", "app=" + name_ + "_app", "-v",
                       "relay=" + name_ + "_relay", "-v", "operator=" + name_, "-c",
                       fmt::format("CREATE ROLE {0}_app; CREATE ROLE {0}_relay", name_), "-f",
                       OUTBOX_SOURCE_DIR "/deploy/postgres/roles.sql"},
             .environment = {{"PGHOST", options.host},
                             {"PGPORT", options.port},
                             {"PGUSER", options.user},
                             {"PGPASSWORD", options.password},
                             {"PGDATABASE", options.database}}});
        EXPECT_EQ(granted.exit_code, 0) << granted.errors;
    }
    ~OperatorRole() override {
        for (const char* suffix : {"", "_app", "_relay"}) {
            database.query(fmt::format("DROP OWNED BY {0}{1}; DROP ROLE {0}{1}", name_, suffix));
        }
    }

    support::Outcome as_operator(const Words& words) const {
        return verb(words, {{"DB_USER", name_}, {"DB_PASSWORD", "p"}});
    }
    std::string state_of(const std::string& sql) const {
        auto options = database.options();
        options.user = name_;
        options.password = "p";
        auto session = postgres::Connection::open(options, Deadline::in(30s));
        try {
            script(session, sql);
            return "accepted";
        } catch (const postgres::DatabaseError& error) {
            return error.sqlstate();
        }
    }

private:
    std::string name_ = "outbox_role_" + Uuid::random().to_string();
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
                            {"resume", "--shard", "1"}}) {
        const auto outcome = as_operator(words);
        EXPECT_EQ(outcome.exit_code, 0) << words[0] << ": " << outcome.errors;
    }
    EXPECT_EQ(state_of("SELECT event_data FROM outbox_events"), "42501");
    EXPECT_EQ(state_of("UPDATE outbox_events SET topic = 'x'"), "42501");
    EXPECT_EQ(state_of("DELETE FROM outbox_audit"), "42501");
    EXPECT_EQ(state_of("UPDATE outbox_audit SET why = 'x'"), "42501");
    EXPECT_EQ(state_of("UPDATE outbox_shards SET epoch = 9"), "42501");
}

} // namespace
} // namespace outbox::relays
