#include "fixture.hpp"

#include <outbox/support/role.hpp>

#include <csignal>

namespace outbox {
namespace {

/// outbox-server as the application, outbox-relay as the relay of deploy/postgres/roles.sql.
class HttpRoles : public testing::Test {
protected:
    HttpRoles() { support::grant_least(database, app, relay); }

    support::Role app;
    support::Role relay;
    support::TestDatabase database;
};

TEST_F(HttpRoles, BothProgramsWorkWithTheLeastGrants) {
    TestServer server(with(database.environment(), app.variables()));
    ASSERT_TRUE(wait_until([&] { return server.ask("GET", "/health").status == 200; }));
    const Fields key{{"Idempotency-Key", "roles"}};
    const Reply added = server.ask("POST", "/users", user_json("ada@example.com"), key);
    ASSERT_EQ(added.status, 201);
    EXPECT_EQ(server.ask("POST", "/users", user_json("ada@example.com"), key).body, added.body);
    const std::string path = added.headers.at("location");
    EXPECT_EQ(server.ask("PUT", path, R"({"email":"countess@example.com","name":"Ada Lovelace"})").status,
              200);
    EXPECT_EQ(server.ask("GET", path).status, 200);
    EXPECT_EQ(server.ask("POST", "/test/crash", user_json("orphan@example.com")).status, 500);

    support::Process program(
        {{support::program("outbox-relay")}, with(database.environment(), relay.variables())});
    EXPECT_TRUE(wait_until(
        [&] {
            return database.number("SELECT count(*) FROM outbox_events WHERE status = 'SENT'"
                                   " AND kafka_offset IS NOT NULL") == 3;
        },
        std::chrono::seconds(60)))
        << program.errors();
    program.signal(SIGTERM);
    EXPECT_EQ(program.wait(Deadline::in(std::chrono::seconds(20))).exit_code, 0);
}

} // namespace
} // namespace outbox
