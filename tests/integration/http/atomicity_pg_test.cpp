#include "fixture.hpp"

#include <fmt/format.h>

#include <csignal>
#include <mutex>
#include <random>
#include <set>
#include <thread>

namespace outbox {
namespace {

std::string crash_json(const std::string& email, bool after) {
    return nlohmann::json{{"email", email}, {"name", "Ada"}, {"crash_after_db", after}}.dump();
}

using HttpAtomicity = HttpTest;

TEST_F(HttpAtomicity, WhenTheEventCannotBeWrittenTheUserIsNotEither) {
    database.query(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'check_violation'; END $$;"
        "CREATE TRIGGER refuse BEFORE INSERT ON outbox_events FOR EACH ROW EXECUTE FUNCTION refuse()");
    EXPECT_EQ(ask("POST", "/users", user_json("ada@example.com")).status, 500);
    EXPECT_EQ(database.number("SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM outbox_events)"),
              0);
    EXPECT_EQ(ask("GET", "/livez").status, 200);

    database.query("DROP TRIGGER refuse ON outbox_events");
    EXPECT_EQ(ask("POST", "/users", user_json("ada@example.com")).status, 201) << "nothing was left behind";
}

TEST_F(HttpAtomicity, WhenTheCommitIsRefusedNothingIsLeft) {
    // A deferred constraint speaks up at COMMIT, after both rows were written.
    database.query("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                   " $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = 'check_violation'; END $$;"
                   "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED"
                   " FOR EACH ROW EXECUTE FUNCTION refuse()");
    EXPECT_EQ(ask("POST", "/users", user_json("ada@example.com")).status, 500);
    EXPECT_EQ(database.number("SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM outbox_events)"),
              0);
}

TEST_F(HttpAtomicity, ACrashAfterTheCommitLeavesBoth) {
    const Reply reply = ask("POST", "/test/crash", crash_json("orphan@example.com", true));
    EXPECT_EQ(reply.status, 500);
    EXPECT_EQ(database.value("SELECT id FROM users WHERE email = 'orphan@example.com'"),
              reply.json().at("user_id").get<std::string>());
    EXPECT_TRUE(users_match_events());
    EXPECT_EQ(ask("GET", "/users/" + reply.json().at("user_id").get<std::string>()).status, 200)
        << "it lives on";
}

TEST_F(HttpAtomicity, ACrashBeforeTheCommitLeavesNeither) {
    EXPECT_EQ(ask("POST", "/test/crash", crash_json("nobody@example.com", false)).status, 500);
    EXPECT_EQ(database.number("SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM outbox_events)"),
              0);
    EXPECT_EQ(ask("POST", "/users", user_json("nobody@example.com")).status, 201);
}

TEST_F(HttpAtomicity, AClientThatRetriesACrashWithItsKeyGetsTheAnswerItMissed) {
    const Fields key{{"Idempotency-Key", "retry-1"}};
    const Reply crash = ask("POST", "/test/crash", crash_json("orphan@example.com", true), key);
    EXPECT_EQ(crash.status, 500);
    const Reply retried = ask("POST", "/users", user_json("orphan@example.com"), key);
    EXPECT_EQ(retried.status, 201);
    EXPECT_EQ(retried.json().at("id"), crash.json().at("user_id"));
    EXPECT_EQ(ask("POST", "/test/crash", crash_json("orphan@example.com", true), key).status, 500);
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_events"), 1);

    const Fields other{{"Idempotency-Key", "retry-2"}};
    EXPECT_EQ(ask("POST", "/test/crash", crash_json("nobody@example.com", false), other).status, 500);
    EXPECT_EQ(database.number("SELECT count(*) FROM idempotency_keys"), 1) << "rolled back with the rest";
    EXPECT_EQ(ask("POST", "/users", user_json("nobody@example.com"), other).status, 201);
}

TEST_F(HttpAtomicity, TheCrashRouteChecksItsInputAsPostDoes) {
    EXPECT_EQ(ask("POST", "/test/crash", R"({"crash_after_db":true})").wrong_fields(), "email,name");
    EXPECT_EQ(ask("POST", "/test/crash", R"({"email":"a@b","name":"x","crash_after_db":1})").wrong_fields(),
              "crash_after_db");
    add_user("ada@example.com");
    EXPECT_EQ(ask("POST", "/test/crash", crash_json("ada@example.com", true)).status, 409);
}

class HttpExit : public HttpTest {
protected:
    HttpExit() : HttpTest({{"SERVER_TEST_CRASH", "exit"}}) {}
};

TEST_F(HttpExit, ExitAfterTheCommitEndsTheProcessAndLeavesBoth) {
    EXPECT_EQ(ask("POST", "/test/crash", crash_json("orphan@example.com", true)).status, 0);
    EXPECT_EQ(server.process().wait(Deadline::in(std::chrono::seconds(10))).exit_code, 70);
    EXPECT_EQ(database.number("SELECT count(*) FROM users"), 1);
    EXPECT_TRUE(users_match_events());
}

TEST_F(HttpExit, ExitBeforeTheCommitLeavesNeither) {
    EXPECT_EQ(ask("POST", "/test/crash", crash_json("nobody@example.com", false)).status, 0);
    EXPECT_EQ(server.process().wait(Deadline::in(std::chrono::seconds(10))).exit_code, 70);
    EXPECT_EQ(database.number("SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM outbox_events)"),
              0);
}

/// Clients that post until their connection breaks, which is soon after so many answers.
/// @return the addresses that were answered 201.
std::set<std::string> post_until_killed(TestServer& server, int round, std::size_t answers) {
    std::mutex mutex;
    std::set<std::string> answered;
    std::jthread killer([&] {
        EXPECT_TRUE(wait_until([&] {
            const std::lock_guard lock(mutex);
            return answered.size() >= answers;
        }));
        server.process().signal(SIGKILL);
    });
    in_parallel(8, [&](int thread) {
        Client client(server.port());
        for (int i = 0;; ++i) {
            const std::string email = fmt::format("{}.{}.{}@example.com", round, thread, i);
            const Reply reply = client.ask("POST", "/users", user_json(email));
            if (reply.status == 0) {
                return;
            }
            const std::lock_guard lock(mutex);
            EXPECT_EQ(reply.status, 201);
            answered.insert(email);
        }
    });
    return answered;
}

TEST(HttpKill, KillingTheServerAtAnyMomentLeavesBothOrNone) {
    constexpr int rounds = 8;
    support::TestDatabase database;
    std::mt19937 random{std::random_device{}()};
    for (int round = 0; round < rounds; ++round) {
        TestServer server(database.environment());
        for (const std::string& email : post_until_killed(server, round, 10 + random() % 200)) {
            EXPECT_EQ(database.number("SELECT count(*) FROM users WHERE email = $1", {email}), 1)
                << "answered, lost";
        }
        server.process().kill();
    }
    // What the killed server had sent may still be running.
    EXPECT_TRUE(wait_until([&] {
        return database.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                               " AND application_name = 'outbox-server'") == 0;
    }));
    EXPECT_EQ(database.number(
                  "SELECT count(*) FROM users u FULL JOIN outbox_events e ON e.aggregate_id = u.id::text"
                  " WHERE u.id IS NULL OR e.id IS NULL"),
              0);
    EXPECT_EQ(database.number("SELECT count(*) FROM users"),
              database.number("SELECT count(*) FROM outbox_events"));
}

} // namespace
} // namespace outbox
