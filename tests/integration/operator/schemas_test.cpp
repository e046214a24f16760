// Two outboxes in two schemas of one database, with a relay each.

#include <outbox/support/relays.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace outbox::relays {
namespace {

class TwoSchemas : public Relays {
public:
    TwoSchemas() {
        support::on_server(fmt::format("CREATE ROLE {} SUPERUSER LOGIN PASSWORD 'secret'", role));
        const auto up =
            support::run({{support::program("outbox-migrate"), "up", "--set=outbox"}, orders()}, 60s);
        EXPECT_EQ(up.exit_code, 0) << up.errors;
        database.query("CREATE EXTENSION IF NOT EXISTS pg_stat_statements");
    }
    TwoSchemas(const TwoSchemas&) = delete;
    TwoSchemas& operator=(const TwoSchemas&) = delete;
    ~TwoSchemas() override {
        on_end("REASSIGN OWNED BY " + role + " TO CURRENT_USER");
        on_end("DROP OWNED BY " + role);
        support::on_server("DROP ROLE IF EXISTS " + role);
    }

protected:
    /// The second outbox, and a role of its own, whose statements are counted.
    [[nodiscard]] Variables orders() const {
        return environment({{"DB_SCHEMA", "orders"}, {"OUTBOX_NAME", database.name() + "-orders"}});
    }
    [[nodiscard]] Process relay_of_orders() const {
        auto variables = orders();
        variables["DB_USER"] = role;
        variables["DB_PASSWORD"] = "secret";
        return Process({{support::program("outbox-relay-faults")}, variables});
    }
    std::int64_t statements_of(const std::string& who) {
        return database.number(
            "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements"
            " WHERE userid = $1::regrole AND toplevel AND query NOT LIKE '%pg_stat_statements%'",
            {who});
    }

    const std::string role = support::unique_name("outbox_test_");

private:
    void on_end(const std::string& sql) noexcept {
        try {
            database.query(sql);
        } catch (const std::exception& error) {
            ADD_FAILURE() << error.what();
        }
    }
};

TEST_F(TwoSchemas, DoNotWakeEachOther) {
    const Process relay = ready_relay({{"RELAY_SHARDS", "8"}});
    Process second = relay_of_orders();
    ASSERT_TRUE(second.wait_for(Signal("recovered"), Deadline::in(60s), 4)) << second.errors();
    ASSERT_TRUE(wait_sent(insert({.key = "first"}))) << relay.errors();
    stay_quiet(5s);

    const auto before = statements_of(role);
    const Activity quiet = watch_relays(30s);
    EXPECT_LE(quiet.statements, 2 * 120) << testing::PrintToString(quiet.by_text);
    const auto idle = statements_of(role) - before;
    EXPECT_LE(idle, 120);

    const auto before_work = statements_of(role);
    for (int i = 0; i < 300; ++i) { // of the first outbox alone
        insert({.key = fmt::format("k{}", i % 50)});
        stay_quiet(20ms);
    }
    ASSERT_TRUE(wait_until([&] { return count("status = 'SENT'") == 301; }, 60s)) << relay.errors();
    EXPECT_LE(statements_of(role) - before_work, 120) << second.errors();
    EXPECT_EQ(database.number("SELECT count(*) FROM orders.outbox_events"), 0);
}

} // namespace
} // namespace outbox::relays
