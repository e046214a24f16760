// What others do to the outbox's own tables while relays run: nothing is lost, repeated or overtaken by it.

#include <outbox/support/relays.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

namespace outbox::relays {
namespace {

using testing::HasSubstr;
using testing::Not;

class Interference : public Relays {
protected:
    void insert_some() {
        for (int i = 0; i < 40; ++i) {
            insert({.key = "k" + std::to_string(i % 4)});
        }
    }
    void expect_all_sent(const Process& relay) {
        EXPECT_TRUE(wait_until([&] { return count("status <> 'SENT'") == 0; }, 30s)) << relay.errors();
        expect_exactly_once();
    }
    [[nodiscard]] support::Outcome relay_status() const {
        return support::run({{support::program("outbox-relay"), "status"}, environment()}, 30s);
    }
};

/// A trigger of the user's own, by what its function does.
class UserTrigger : public Interference, public testing::WithParamInterface<const char*> {};

TEST_P(UserTrigger, WhoseUpdatesHaveNoEffectIsNamedAndNothingIsSentTwice) {
    Process relay = ready_relay();
    ASSERT_TRUE(wait_sent(insert({.key = "k0"}))) << relay.errors();
    database.query(fmt::format(
        "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} END $$", GetParam()));
    database.query(
        "CREATE TRIGGER meddles BEFORE UPDATE ON outbox_events FOR EACH ROW EXECUTE FUNCTION meddle()");
    insert_some();
    EXPECT_TRUE(
        relay.wait_for(Signal("recovers").saying("trigger meddles on outbox_events cancels or undoes"),
                       Deadline::in(30s), 2))
        << relay.errors();
    EXPECT_TRUE(wait_until([&] { return relay_status().exit_code == 1; }, 30s));
    EXPECT_THAT(relay_status().output, HasSubstr("type DROP TRIGGER meddles ON outbox_events;"));
    database.query("DROP TRIGGER meddles ON outbox_events");
    expect_all_sent(relay);
}

INSTANTIATE_TEST_SUITE_P(Each, UserTrigger,
                         testing::Values("RETURN NULL;", "NEW.status := OLD.status; RETURN NEW;",
                                         "IF NEW.status = 'SENT' THEN RETURN NULL; END IF; RETURN NEW;"));

TEST_F(Interference, RowsThatAreChangedWhileTheyWaitAreNotOvertaken) {
    const Process relay = ready_relay();
    std::atomic<bool> done = false;
    std::jthread changes([&] {
        auto session = database.connect();
        while (!done) {
            try {
                session.query("UPDATE outbox_events SET error_message = 'seen' WHERE unsent", {},
                              Deadline::in(30s));
            } catch (const Error&) { // a deadlock with the relay's own updates
            }
        }
    });
    for (int i = 0; i < 400; ++i) {
        insert({.key = "k" + std::to_string(i % 3)});
    }
    done = true;
    changes.join();
    expect_all_sent(relay);
}

TEST_F(Interference, DeletedShardsAreMadeAnewByARunningRelay) {
    const Process relay = ready_relay();
    insert_some();
    database.query("DELETE FROM outbox_shards WHERE shard <> 1");
    insert_some();
    expect_all_sent(relay);
    database.query("DELETE FROM outbox_shards");
    insert_some();
    expect_all_sent(relay);
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_shards"), shards);
    EXPECT_GE(relay.count(Signal("shard_made")), shards);
}

TEST_F(Interference, ADeletedIdentityIsNamedWithItsStatementAndWaitedFor) {
    const Process relay = ready_relay();
    ASSERT_TRUE(wait_sent(insert({.key = "k0"}))) << relay.errors();
    const auto identity =
        database.value("SELECT format('(%L, %L, %L, %s)', outbox_id, name, cluster_id, shard_count) "
                       "FROM outbox_meta");
    database.query("DELETE FROM outbox_meta");
    const auto statement =
        "INSERT INTO outbox_meta (outbox_id, name, cluster_id, shard_count) VALUES " + identity;
    EXPECT_TRUE(wait_until([&] { return relay.count(Signal("waits").saying(statement)) > 0; }, 30s))
        << relay.errors();
    EXPECT_THAT(relay_status().output, HasSubstr("refuse: outbox_meta: is empty"));
    database.query(statement);
    EXPECT_TRUE(wait_sent(insert({.key = "k0"}), 10s)) << relay.errors();
    expect_exactly_once();
}

TEST_F(Interference, WhatAConstraintRefusesIsSaidWithoutWhatTheEventHolds) {
    const Process relay = ready_relay();
    database.query("ALTER TABLE outbox_events ADD CONSTRAINT narrow CHECK (kafka_offset IS NULL OR "
                   "processed_at IS NULL)");
    const auto id = insert({.key = "k0", .data = R"({"card":"4111-1111"})"});
    EXPECT_TRUE(wait_until(
        [&] { return relay.count(Signal("recovers").saying("violates check constraint")) > 0; }, 30s));
    EXPECT_THAT(relay.errors(), HasSubstr("narrow"));
    EXPECT_THAT(relay.errors(), Not(HasSubstr("4111")));
    EXPECT_THAT(relay_status().output, HasSubstr("warn: constraint narrow of public.outbox_events"));
    database.query("ALTER TABLE outbox_events DROP CONSTRAINT narrow");
    EXPECT_TRUE(wait_sent(id, 10s)) << relay.errors();
    expect_exactly_once();
}

TEST_F(Interference, NumbersBelowOneAreSentToo) {
    const Process relay = ready_relay();
    database.query("ALTER SEQUENCE outbox_events_seq_seq MINVALUE -100 RESTART -50");
    insert_some();
    EXPECT_TRUE(wait_until([&] { return count("status <> 'SENT'") == 0; }, 30s)) << relay.errors();
}

TEST_F(Interference, RowsThatSomebodySetProcessingOrHeldAsideAreSentAllTheSame) {
    const Process relay = ready_relay();
    ASSERT_TRUE(wait_sent(insert({.key = "k0"}))) << relay.errors();
    const std::string rows =
        "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic, status,"
        " next_attempt_at) SELECT gen_random_uuid(), o.aggregate_type, 'k' || k, o.event_type, o.event_data,"
        " o.topic, s.status, s.at FROM outbox_events AS o, generate_series(1, 20) AS k,"
        " (VALUES ('PROCESSING', NULL::timestamptz), ('NEW', 'infinity'), ('PROCESSING', 'infinity'),"
        " ('PROCESSING', now())) AS s(status, at) WHERE o.aggregate_id = 'k0'";
    database.query(rows);
    database.query("UPDATE outbox_events SET status = 'PROCESSING' WHERE id = '" + insert({.key = "k0"}) +
                   "'");
    EXPECT_TRUE(wait_until([&] { return count("status <> 'SENT'") == 0; }, 80s)) << relay.errors();
    EXPECT_EQ(count("true"), 82);
    EXPECT_GE(relay.count(Signal("strays_freed")), 1);
    EXPECT_EQ(relay.count(Signal("recovers")), 0);
    expect_exactly_once();
}

TEST_F(Interference, ANumberAtTheEndOfTheNumberingEndsNothing) {
    {
        const Process relay = ready_relay();
        ASSERT_TRUE(wait_sent(insert({.key = "k0"}))) << relay.errors();
        database.query(
            "INSERT INTO outbox_events (id, seq, aggregate_type, aggregate_id, event_type, event_data,"
            " topic) OVERRIDING SYSTEM VALUE SELECT gen_random_uuid(), 9223372036854775807,"
            " aggregate_type, 'last', event_type, event_data, topic FROM outbox_events");
        EXPECT_TRUE(wait_until([&] { return count("status <> 'SENT'") == 0; }, 30s)) << relay.errors();
    }
    const Process next = ready_relay(); // a start moves the numbering, and a recovery as well
    insert_some();
    expect_all_sent(next);
}

} // namespace
} // namespace outbox::relays
