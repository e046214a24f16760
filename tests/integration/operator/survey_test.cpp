// What a relay and `status` say of a database that endangers the promise.
#include "fixture.hpp"

#include <outbox/support/role.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace outbox::relays {
namespace {

class Surveyed : public Operator {
protected:
    /// What the status of the database says, and nothing of it but findings.
    std::string findings(int exit_code, const Variables& changes = {}) const {
        const auto outcome = verb({"status"}, changes);
        EXPECT_EQ(outcome.exit_code, exit_code) << outcome.output << outcome.errors;
        EXPECT_THAT(outcome.errors, IsEmpty());
        return outcome.output;
    }
    static bool said(Process& relay, const std::string& words) {
        return wait_until([&] { return lines_with(words, relay.errors()) > 0; }, 90s);
    }
};

TEST_F(Surveyed, NumbersOutOfOrderStopEveryShardUntilTheyAreMended) {
    Process relay = ready_relay();
    ASSERT_TRUE(wait_sent(insert({.key = "a"}))) << relay.errors();
    database.query("ALTER SEQUENCE outbox_events_seq_seq CACHE 10");
    ASSERT_TRUE(said(relay, "nothing is sent until the database is mended")) << relay.errors();
    ASSERT_TRUE(wait_until([&] { return lines_with("shard released", relay.errors()) == shards; }, 30s))
        << relay.errors();
    const auto waiting = insert({.key = "a"});
    EXPECT_THAT(findings(1),
                HasSubstr("refuse: public.outbox_events_seq_seq: gives each session 10 numbers at once"));
    const auto document = nlohmann::json::parse(verb({"status", "--json"}).output);
    EXPECT_EQ(document["findings"][0]["severity"], "refuse");
    EXPECT_EQ(document["findings"][0]["mend"], "ALTER SEQUENCE public.outbox_events_seq_seq CACHE 1;");
    EXPECT_EQ(document["healthy"], false);
    EXPECT_EQ(status(waiting), "NEW");
    database.query("ALTER SEQUENCE outbox_events_seq_seq CACHE 1");
    EXPECT_TRUE(wait_sent(waiting)) << relay.errors();
    EXPECT_EQ(lines_with("nothing is sent until", relay.errors()), 1) << relay.errors();
    EXPECT_TRUE(wait_until([&] { return verb({"status"}).exit_code == 0; }, 30s));
}

/// Outlives the database.
class LoginRole {
protected:
    support::Role role;
};

class Hidden : protected LoginRole, public Surveyed {
protected:
    Hidden() {
        database.query("GRANT ALL ON ALL TABLES IN SCHEMA public TO " + role.name());
        database.query("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO " + role.name());
    }
};

TEST_F(Hidden, RowsAreToldOfBeforeTheFirstStartAndSentOnceTheyShow) {
    const auto id = insert({.key = "a"});
    database.query("ALTER TABLE outbox_events ENABLE ROW LEVEL SECURITY");
    Process relay = start_relay(role.variables());
    ASSERT_TRUE(said(relay, "has row-level security that hides rows")) << relay.errors();
    EXPECT_THAT(findings(1, role.variables()), HasSubstr("ALTER ROLE " + role.name() + " BYPASSRLS"));
    EXPECT_TRUE(relay.running());
    database.query("ALTER TABLE outbox_events DISABLE ROW LEVEL SECURITY");
    EXPECT_TRUE(wait_sent(id)) << relay.errors();
}

TEST_F(Hidden, RowsAreToldOfUnderARunningRelay) {
    Process relay = ready_relay(role.variables());
    database.query("ALTER TABLE outbox_shards ENABLE ROW LEVEL SECURITY");
    ASSERT_TRUE(said(relay, "has row-level security that hides rows")) << relay.errors();
    const auto id = insert({.key = "a"});
    EXPECT_THAT(findings(1, role.variables()), HasSubstr("public.outbox_shards: has row-level security"));
    EXPECT_THAT(verb({"status"}).output, HasSubstr("warn: public.outbox_shards")); // a superuser sees all
    database.query("ALTER TABLE outbox_shards DISABLE ROW LEVEL SECURITY");
    EXPECT_TRUE(wait_sent(id, 60s)) << relay.errors();
}

} // namespace
} // namespace outbox::relays
