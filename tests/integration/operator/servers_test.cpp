// Two servers: a standby that is taken for the primary, and a database that moves house by logical
// replication. The servers are this program's own, but for the one that a database moves from.
#include "fixture.hpp"

#include <outbox/support/environment.hpp>
#include <outbox/support/replicated_postgres.hpp>

#include <fmt/format.h>

#include <memory>

namespace outbox::relays {
namespace {

std::unique_ptr<support::ReplicatedPostgres> servers;
postgres::ConnectOptions other_server; ///< that of the other tests

class Servers : public testing::Environment {
public:
    void SetUp() override {
        other_server = support::server_options("postgres");
        servers = std::make_unique<support::ReplicatedPostgres>();
    }
    void TearDown() override { servers.reset(); }
};

const auto* const environment = testing::AddGlobalTestEnvironment(new Servers); // owned by gtest

class Standby : public Operator {
protected:
    Standby() { servers->wait_replayed(); }

    static Variables on_standby() {
        const auto replica = servers->replica();
        return {{"DB_PORT", replica.substr(replica.find(':') + 1)}};
    }
};

TEST_F(Standby, IsToldByEveryProgramInOneLine) {
    for (const Words& words : std::vector<Words>{{"status"},
                                                 {"status", "--json"},
                                                 {"retry", "--event-type", "x"},
                                                 {"skip", "--event-type", "x", "--reason", "y"},
                                                 {"pause"},
                                                 {"reconcile"},
                                                 {"adopt"}}) {
        const auto outcome = verb(words, on_standby());
        EXPECT_EQ(outcome.exit_code, 1) << words[0];
        EXPECT_THAT(outcome.errors, HasSubstr("this server is a standby; DB_HOST must name the primary"))
            << words[0];
        EXPECT_EQ(std::count(outcome.errors.begin(), outcome.errors.end(), '\n'), 1) << outcome.errors;
    }
    Variables variables = relays::Standby::environment(on_standby());
    for (const Words& words : std::vector<Words>{
             {"outbox-migrate", "up"}, {"outbox-migrate", "status"}, {"outbox-backfill", "--dry-run"}}) {
        const auto outcome = support::run({{support::program(words[0]), words[1]}, variables}, 60s);
        EXPECT_EQ(outcome.exit_code, 1) << words[1];
        EXPECT_THAT(outcome.errors, HasSubstr("this server is a standby; DB_HOST must name the primary"));
    }
}

TEST_F(Standby, IsWaitedForByARelay) {
    Process relay = start_relay(on_standby());
    EXPECT_TRUE(relay.wait_for(Signal("waits").saying("this server is a standby"), Deadline::in(30s)));
    EXPECT_TRUE(relay.running());
}

TEST_F(Standby, IsPassedOverWhereThePrimaryIsNamedToo) {
    auto options = database.options();
    const auto replica = servers->replica();
    options.port = replica.substr(replica.find(':') + 1) + "," + options.port;
    options.host = "127.0.0.1,127.0.0.1";
    auto session = postgres::Connection::open(options, Deadline::in(30s));
    EXPECT_EQ(session.query("SELECT pg_is_in_recovery()", {}, Deadline::in(30s)).text(0, 0), "f");
}

/// The same database on the other server, from where it moves.
// NOLINTNEXTLINE(cppcoreguidelines-virtual-class-destructor)
class Move : public Operator {
protected:
    Move() {
        support::on_server("DROP DATABASE " + database.name());
        support::on_server("CREATE DATABASE " + database.name());
        old_server_script("postgres", "CREATE DATABASE " + database.name());
        const auto outcome = support::run({{support::program("outbox-migrate"), "up"}, at_old_server()}, 60s);
        EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    }
    ~Move() override { old_server_script("postgres", "DROP DATABASE " + database.name() + " WITH (FORCE)"); }

    static Variables old_server() {
        return {{"DB_HOST", other_server.host},
                {"DB_PORT", other_server.port},
                {"DB_USER", other_server.user},
                {"DB_PASSWORD", other_server.password}};
    }
    [[nodiscard]] Variables at_old_server() const { return Operator::environment(old_server()); }
    static std::string old_server_script(const std::string& name, const std::string& sql) {
        auto options = other_server;
        options.database = name;
        auto session = postgres::Connection::open(options, Deadline::in(30s));
        const auto results = session.script(sql, Deadline::in(30s));
        return results.empty() || results.back().empty() ? "" : results.back().text(0, 0);
    }
    std::string old_house(const std::string& sql) { return old_server_script(database.name(), sql); }

    void copy_schema() const {
        const auto url = [&](const std::string& host, const std::string& port, const std::string& user,
                             const std::string& password) {
            return fmt::format("postgresql://{}:{}@{}:{}/{}", user, password, host, port, database.name());
        };
        const auto here = support::server_options(database.name());
        const auto outcome = support::run(
            {{"bash", "-c",
              fmt::format("pg_dump --schema-only '{}' | psql -q -v ON_ERROR_STOP=1 '{}'",
                          url(other_server.host, other_server.port, other_server.user, other_server.password),
                          url(here.host, here.port, here.user, here.password))},
             {}},
            60s);
        EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    }

    /// One event is sent and five wait, as 1 to 6. Sequences do not move with their tables.
    void move() {
        {
            Process relay = ready_relay(old_server());
            old_house(insert_sql({.key = "a", .data = R"({"n": 1})"}));
            ASSERT_TRUE(
                wait_until([&] { return old_house("SELECT status FROM outbox_events") == "SENT"; }, 30s))
                << relay.errors();
            EXPECT_EQ(stop(relay).exit_code, 0);
        }
        for (int i = 2; i <= 6; ++i) {
            old_house(insert_sql({.key = "a", .data = fmt::format(R"({{"n": {}}})", i)}));
        }
        copy_schema();
        old_house("CREATE PUBLICATION house FOR ALL TABLES");
        database.query(
            fmt::format("CREATE SUBSCRIPTION {} CONNECTION 'host={} port={} user={} password={} dbname={}'"
                        " PUBLICATION house",
                        database.name(), other_server.host, other_server.port, other_server.user,
                        other_server.password, database.name()));
        ASSERT_TRUE(
            wait_until([&] { return database.number("SELECT count(*) FROM outbox_events") == 6; }, 60s));
        ASSERT_TRUE(wait_until(
            [&] {
                return database.value("SELECT bool_and(srsubstate = 'r') FROM pg_subscription_rel") == "t";
            },
            60s));
        database.query("DROP SUBSCRIPTION " + database.name());
        EXPECT_EQ(database.value("SELECT last_value || ' ' || is_called FROM outbox_events_seq_seq"),
                  "1 false");
    }

    void expect_sent_in_order(const Process& relay) {
        ASSERT_TRUE(wait_until([&] { return count("status = 'SENT'") == 7; }, 30s)) << relay.errors();
        std::string order;
        for (const Message& message : read_topic(topic)) {
            order += message.value;
        }
        EXPECT_EQ(order, R"({"n": 1}{"n": 2}{"n": 3}{"n": 4}{"n": 5}{"n": 6}{"n": 7})");
    }
};

TEST_F(Move, ByLogicalReplicationKeepsTheOrderOfEveryKey) {
    move();
    // As docs/operations.md has it: up on the new server before the first writer.
    const auto outcome =
        support::run({{support::program("outbox-migrate"), "up"}, Operator::environment()}, 60s);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_THAT(outcome.errors, HasSubstr("stood below event 6"));
    insert({.key = "a", .data = R"({"n": 7})"});
    const Process relay = ready_relay();
    expect_sent_in_order(relay);
}

TEST_F(Move, ByLogicalReplicationIsNoticedByARelayThatStarts) {
    move();
    const Process relay = ready_relay();
    EXPECT_EQ(relay.count(Signal("order_violation")), 1) << relay.errors();
    insert({.key = "a", .data = R"({"n": 7})"});
    expect_sent_in_order(relay);
}

TEST_F(Move, ByLogicalReplicationIsNoticedByReconcile) {
    move();
    EXPECT_THAT(verb({"status"}).output, HasSubstr("stands at 0, below event 6"));
    const auto outcome = verb({"reconcile", "--apply", "--reason", "moved"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    insert({.key = "a", .data = R"({"n": 7})"});
    const Process relay = ready_relay();
    EXPECT_EQ(relay.count(Signal("order_violation")), 0) << relay.errors();
    expect_sent_in_order(relay);
}

} // namespace
} // namespace outbox::relays
