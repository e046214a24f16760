// What an owner of the database has set or moved meanwhile.
#include <outbox/support/relays.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace outbox::relays {
namespace {

class OwnersDatabase : public Relays {};

TEST_F(OwnersDatabase, MaySetLimitsForItsSessionsThatAreNotForARelay) {
    for (const char* setting :
         {"idle_session_timeout = 700", "idle_in_transaction_session_timeout = 1", "statement_timeout = 50",
          "lock_timeout = 1", "default_transaction_read_only = on",
          "default_transaction_isolation = serializable", "datestyle = 'German, DMY'",
          "intervalstyle = sql_standard", "bytea_output = escape", "timezone = 'Pacific/Chatham'",
          "extra_float_digits = -3", "quote_all_identifiers = on", "enable_indexscan = off",
          "synchronous_commit = off", "standard_conforming_strings = off"}) {
        support::on_server(fmt::format("ALTER DATABASE {} SET {}", database.name(), setting));
    }
    Process relay = ready_relay();
    stay_quiet(3s);
    EXPECT_EQ(relay.count(Signal("recovers")), 0) << relay.errors();
    EXPECT_EQ(relay.count(Signal("waits")), 0) << relay.errors();
    const auto id = database.value("BEGIN READ WRITE; " + insert_sql({.key = "a"}) +
                                   " RETURNING id; COMMIT;"
                                   " SELECT id FROM outbox_events");
    EXPECT_TRUE(wait_sent(id)) << relay.errors();
    EXPECT_EQ(stop(relay).exit_code, 0);
}

TEST_F(OwnersDatabase, MayBeMovedWithoutItsSequence) {
    std::vector<std::string> ids;
    for (int i = 0; i < 10; ++i) {
        ids.push_back(insert({.key = "a"}));
    }
    database.query("SELECT setval('outbox_events_seq_seq', 1, false)"); // it begins again, as after a move
    Process relay = ready_relay();
    EXPECT_EQ(relay.count(Signal("order_violation")), 1) << relay.errors();
    const auto next = insert({.key = "a"});
    EXPECT_EQ(database.value("SELECT seq FROM outbox_events WHERE id = $1", {next}), "11");
    EXPECT_TRUE(wait_sent(next)) << relay.errors();
    // Also where nothing waits.
    EXPECT_EQ(stop(relay).exit_code, 0);
    database.query("SELECT setval('outbox_events_seq_seq', 3)");
    const Process second = ready_relay();
    EXPECT_EQ(database.value("SELECT last_value FROM outbox_events_seq_seq"), "11") << second.errors();
}

} // namespace
} // namespace outbox::relays
