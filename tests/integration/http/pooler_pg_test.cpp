// The server through PgBouncer in transaction mode: each transaction may meet another session.

#include "fixture.hpp"

#include <outbox/support/pgbouncer.hpp>

#include <fmt/format.h>

#include <atomic>

namespace outbox {
namespace {

class Pooler : public testing::Test {
protected:
    support::PgBouncer pooler_;
    support::TestDatabase database_;
};

TEST_F(Pooler, TheServerWorksAndLeavesNothingInTheSessionsOfOthers) {
    constexpr int clients = 8;
    constexpr int requests = 10;
    database_.query("ALTER DATABASE " + database_.name() + " SET timezone = 'Asia/Tokyo'");
    const TestServer server(with(database_.environment(), pooler_.variables()));
    std::atomic<int> refused = 0;
    in_parallel(clients, [&](int client) {
        for (int i = 0; i < requests; ++i) {
            const auto email = fmt::format("u{}-{}@example.com", client, i);
            const Reply added = server.ask("POST", "/users", user_json(email), {{"Idempotency-Key", email}});
            const auto path = added.status == 201 ? added.headers.at("location") : "/users/none";
            const Reply changed = server.ask("PUT", path, R"({"name":"Ada Lovelace"})");
            const Reply found = server.ask("GET", path);
            const bool good =
                added.status == 201 && changed.status == 200 && found.body == changed.body &&
                added.json().at("created_at") == found.json().at("created_at") &&
                server.ask("POST", "/users", user_json(email), {{"Idempotency-Key", email}}).body ==
                    added.body;
            refused += good ? 0 : 1;
        }
    });
    EXPECT_EQ(refused, 0);
    EXPECT_EQ(server.ask("GET", "/health").status, 200);
    EXPECT_EQ(database_.number("SELECT count(*) FROM outbox_events"), 2 * clients * requests);
    EXPECT_EQ(
        database_.number("SELECT count(*) FROM outbox_events WHERE event_type = 'user.created'"
                         " AND (event_data->>'created_at')::timestamptz BETWEEN now() - interval '10 minutes'"
                         " AND now()"),
        clients * requests);
    auto other =
        postgres::Connection::open(pooler_.through(database_), Deadline::in(std::chrono::seconds(30)));
    const auto left =
        other.query("SELECT current_setting('statement_timeout') || current_setting('lock_timeout')"
                    " || current_setting('idle_in_transaction_session_timeout')",
                    {}, Deadline::in(std::chrono::seconds(30)));
    EXPECT_EQ(left.text(0, 0), "000");
}

TEST_F(Pooler, TheServersTimeoutsHoldInItsTransactions) {
    const TestServer server(
        with(database_.environment(), with(pooler_.variables(), {{"SERVER_REQUEST_TIMEOUT", "2"}})));
    const Reply added = server.ask("POST", "/users", user_json("ada@example.com"));
    ASSERT_EQ(added.status, 201) << added.body;
    auto holder = database_.connect();
    const Deadline deadline = Deadline::in(std::chrono::seconds(60));
    holder.script("BEGIN; UPDATE users SET name = 'held'", deadline);
    EXPECT_EQ(server.ask("PUT", added.headers.at("location"), R"({"name":"B"})").status, 503);
    EXPECT_TRUE(wait_until([&] {
        return database_.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                                " AND wait_event_type = 'Lock'") == 0;
    })) << "nothing waits on after the answer";
    holder.script("ROLLBACK", deadline);
    EXPECT_EQ(server.ask("PUT", added.headers.at("location"), R"({"name":"B"})").status, 200);
}

} // namespace
} // namespace outbox
