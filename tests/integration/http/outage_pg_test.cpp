#include "fixture.hpp"
#include "proxy/proxy.hpp"

#include <fmt/format.h>

#include <csignal>
#include <limits>
#include <memory>
#include <optional>
#include <thread>

namespace outbox {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// The server and its database, with a proxy between the two.
class HttpOutages : public testing::Test {
protected:
    HttpOutages()
        : proxy(chaos::FaultProxy::postgres(static_cast<std::uint16_t>(std::stoi(database.options().port)))) {
    }

    void SetUp() override {
        server.emplace(with(database.environment(), {{"DB_HOST", "127.0.0.1"},
                                                     {"DB_PORT", std::to_string(proxy->port())},
                                                     {"SERVER_WORKERS", "2"},
                                                     {"SERVER_REQUEST_TIMEOUT", "1"}}));
    }

    /// Every request from now on stands still, until the database is back.
    void silence_database() {
        silence_ = proxy->inject(
            {.match = {}, .fault = {chaos::Fault::Kind::stall}, .times = std::numeric_limits<int>::max()});
    }
    void bring_database_back() { proxy->lift(*silence_); }

    /// Asks and expects 503 with Retry-After within the deadline of the request, and some time for a busy
    /// machine.
    void expect_unavailable(std::string_view method, const std::string& target,
                            const std::string& body = {}) {
        const auto start = SteadyClock::now();
        const Reply reply = server->ask(method, target, body);
        EXPECT_EQ(reply.status, 503) << method << ' ' << target << ' ' << reply.body;
        EXPECT_TRUE(reply.headers.contains("retry-after"));
        EXPECT_LT(SteadyClock::now() - start, seconds(1) + milliseconds(1'500) * support::slowness)
            << method << ' ' << target;
    }

    support::TestDatabase database;
    std::unique_ptr<chaos::FaultProxy> proxy;
    std::optional<TestServer> server;

private:
    std::optional<chaos::RuleId> silence_;
};

const std::string some_user = "/users/018f3c2e-8a5b-7c1d-9e2f-3a4b5c6d7e8f";

TEST_F(HttpOutages, ADatabaseThatStopsAnsweringGives503AndComesBack) {
    EXPECT_EQ(server->ask("POST", "/users", user_json("before@example.com")).status, 201);
    silence_database();
    expect_unavailable("POST", "/users", user_json("during@example.com"));
    expect_unavailable("GET", some_user);
    expect_unavailable("PUT", some_user, R"({"name":"x"})");
    expect_unavailable("GET", "/health");
    EXPECT_EQ(server->ask("GET", "/livez").status, 200);

    bring_database_back();
    EXPECT_TRUE(wait_until([&] { return server->ask("GET", some_user).status == 404; }, seconds(5)));
    EXPECT_TRUE(wait_until([&] { return server->ask("GET", "/readyz").status == 200; }, seconds(5)));
}

TEST_F(HttpOutages, ManyClientsOfADeadDatabaseAreAllAnsweredInTime) {
    silence_database();
    in_parallel(50, [&](int i) { expect_unavailable("POST", "/users", user_json(fmt::format("{}@x", i))); });
}

class SilentFromTheStart : public HttpOutages {
protected:
    SilentFromTheStart() { silence_database(); }
};

TEST_F(SilentFromTheStart, TheServerStartsAndWaitsForItsDatabase) {
    expect_unavailable("POST", "/users", user_json("early@example.com"));
    bring_database_back();
    EXPECT_TRUE(
        wait_until([&] { return server->ask("POST", "/users", user_json("late@example.com")).status == 201; },
                   seconds(5)));
}

TEST_F(SilentFromTheStart, ItStopsInTimeAllTheSame) {
    Client waiting(server->port());
    waiting.send(request_text("POST", "/users", user_json("never@example.com")));
    std::this_thread::sleep_for(milliseconds(100));
    server->process().signal(SIGTERM);
    EXPECT_EQ(waiting.read().status, 503);
    EXPECT_EQ(server->process().wait(Deadline::in(seconds(5))).exit_code, 0);
}

TEST_F(HttpOutages, ALostAnswerToTheCommitIsSaidToBeUnknownAndTheKeySettlesIt) {
    const Fields key{{"Idempotency-Key", "settle-1"}};
    proxy->inject({.match = {.kind = "COMMIT"}, .fault = {chaos::Fault::Kind::cut_after}});
    const Reply lost = server->ask("POST", "/users", user_json("doubt@example.com"), key);
    EXPECT_EQ(lost.status, 503);
    EXPECT_NE(lost.json().at("detail").get<std::string>().find("outcome is unknown"), std::string::npos);
    EXPECT_EQ(lost.json().at("type"), "urn:problem-type:outbox:outcome-unknown");
    EXPECT_FALSE(lost.headers.contains("retry-after")) << "nobody is to repeat it without thinking";
    EXPECT_NE(lost.json().at("detail").get<std::string>().find("Idempotency-Key"), std::string::npos);
    EXPECT_EQ(database.number("SELECT count(*) FROM users"), 1)
        << "it had been committed, and was not tried again";

    const Reply settled = server->ask("POST", "/users", user_json("doubt@example.com"), key);
    EXPECT_EQ(settled.status, 201);
    EXPECT_EQ(database.number("SELECT count(*) FROM users"), 1);
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_events"), 1);
}

TEST_F(HttpOutages, ConnectionsThatDiedWhileIdleAreReplacedUnnoticed) {
    in_parallel(4, [&](int i) { server->ask("POST", "/users", user_json(fmt::format("{}@x", i))); });
    database.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
                   " AND application_name = 'outbox-server'");
    EXPECT_EQ(server->ask("GET", "/readyz").status, 200) << "its own session was among them";
    for (int i = 10; i < 20; ++i) {
        EXPECT_EQ(server->ask("POST", "/users", user_json(fmt::format("{}@x", i))).status, 201);
    }
}

TEST_F(HttpOutages, ARowThatStaysLockedGives503WithinTheDeadline) {
    const Reply added = server->ask("POST", "/users", user_json("ada@example.com"));
    auto holder = database.connect();
    const Deadline limit = Deadline::in(seconds(30));
    holder.script("BEGIN", limit);
    holder.script("SELECT 1 FROM users FOR UPDATE", limit);
    expect_unavailable("PUT", added.headers.at("location"), R"({"name":"x"})");
    holder.script("ROLLBACK", limit);
    EXPECT_EQ(server->ask("PUT", added.headers.at("location"), R"({"name":"x"})").status, 200);
}

TEST(HttpClosedPort, ADatabaseThatIsNotThereGives503AtOnce) {
    TestServer server(
        {{"DB_HOST", "localhost"}, {"DB_PORT", std::to_string(chaos::port_of(chaos::listen_on_loopback()))}});
    const auto start = SteadyClock::now();
    const Reply reply = server.ask("POST", "/users", user_json("a@b"));
    EXPECT_EQ(reply.status, 503);
    EXPECT_TRUE(reply.headers.contains("retry-after"));
    EXPECT_LT(SteadyClock::now() - start, seconds(2));
    auto told = server.ask("GET", "/health").json().at("dependencies").at("database");
    EXPECT_EQ(told.erase("duration_ms"), 1U);
    EXPECT_EQ(told, (nlohmann::json{{"status", "down"}})) << "neither host nor role nor what the server says";
    EXPECT_TRUE(server.process().wait_for_text(R"("dependency lost","dependency":"database")",
                                               Deadline::in(seconds(5))));
}

TEST(HttpMissingDatabase, TheServerGoesToWorkOnceTheDatabaseIsMade) {
    support::TestDatabase database(support::TestDatabase::Start::absent);
    TestServer server(database.environment());
    EXPECT_EQ(server.ask("POST", "/users", user_json("a@b")).status, 503);
    EXPECT_EQ(server.ask("GET", "/health").json().at("dependencies").at("database").at("status"), "down");
    database.migrate({"up"});
    EXPECT_TRUE(wait_until([&] { return server.ask("POST", "/users", user_json("a@b")).status == 201; }));
    EXPECT_TRUE(wait_until([&] { return server.ask("GET", "/health").status == 200; }));
}

TEST(HttpMissingTables, HealthSaysWhatToType) {
    support::TestDatabase database(support::TestDatabase::Start::empty);
    TestServer server(database.environment());
    EXPECT_EQ(server.ask("POST", "/users", user_json("a@b")).status, 503);
    const Reply health = server.ask("GET", "/health");
    EXPECT_EQ(health.status, 503);
    EXPECT_TRUE(server.process().wait_for_text("outbox-migrate up", Deadline::in(seconds(5))));
}

} // namespace
} // namespace outbox
