// RELAY_ON_SENT=delete: what is sent leaves the table, and nothing else does.

#include "fixture.hpp"

#include <outbox/support/role.hpp>

#include <fmt/format.h>

#include <csignal>
#include <set>

namespace outbox::relays {
namespace {

class DeletedRows : public Operator {
protected:
    static constexpr auto narrow_limit = "10000";

    [[nodiscard]] Process deleting_relay(Variables changes = {}) const {
        changes.insert({"RELAY_ON_SENT", "delete"});
        return ready_relay(changes);
    }
    bool wait_empty() {
        return wait_until([&] { return count("true") == 0; }, 60s);
    }
    /// Each event of the topic once, and so many.
    void expect_each_once(std::size_t events) {
        std::set<std::string> ids;
        const auto messages = read_topic(topic);
        for (const auto& message : messages) {
            ids.insert(message.headers.at("ce_id"));
        }
        EXPECT_EQ(messages.size(), events);
        EXPECT_EQ(ids.size(), events);
    }
    void write(int events) {
        ASSERT_EQ(support::run(load({"--events", std::to_string(events)}), 60s).exit_code, 0);
    }
    /// An event that its topic does not take, and a later one of its key that it takes.
    std::string failed_and_overtaken() {
        const auto id = insert({.key = "a",
                                .data = R"({"x": ")" + std::string(20'000, 'x') + R"("})",
                                .topic = narrow,
                                .max_retries = 1});
        EXPECT_TRUE(wait_status(id, "FAILED"));
        insert({.key = "a", .topic = narrow});
        return id;
    }
    std::int64_t on_narrow() { return count(fmt::format("topic = '{}'", narrow)); }

    support::Role role;
    std::string narrow = topic + "_narrow";
};

TEST_F(DeletedRows, WhatIsSentLeavesTheTableWithOrWithoutProcessing) {
    for (const char* const processing : {"on", "off"}) {
        Process relay = deleting_relay({{"RELAY_TRACK_PROCESSING", processing}});
        write(500);
        EXPECT_TRUE(wait_empty()) << relay.errors();
        EXPECT_EQ(stop(relay).exit_code, 0);
    }
    expect_each_once(1000);
    EXPECT_NE(database.value("SELECT sent_deleted_since FROM outbox_meta"), "NULL");
}

TEST_F(DeletedRows, WhatAKilledRelayHadInKafkaIsNotSentAgain) {
    for (const char* const point : {"after-commit:2", "before-mark:3"}) {
        write(300);
        Process doomed =
            start_relay_with_fault(point, {{"RELAY_ON_SENT", "delete"}, {"RELAY_TRANSACTION_EVENTS", "50"}});
        ASSERT_EQ(doomed.wait(Deadline::in(60s)).signal, SIGKILL) << point << doomed.errors();
    }
    const Process relay = deleting_relay();
    EXPECT_TRUE(wait_empty()) << relay.errors();
    expect_each_once(600);
}

TEST_F(DeletedRows, RowsThatMoveWhileTheyAreAtTheBrokerGoAsWell) {
    const Process relay = deleting_relay({{"RELAY_TRACK_PROCESSING", "off"}});
    auto session = database.connect();
    for (int round = 0; round < 20; ++round) {
        write(100);
        script(session, "UPDATE outbox_events SET max_retries = 7 WHERE status <> 'SENT'"); // new places
    }
    EXPECT_TRUE(wait_empty()) << relay.errors();
    expect_each_once(2000);
}

TEST_F(DeletedRows, AFailedEventIsNotSentAgainBehindOneThatMayHaveOvertakenIt) {
    create_topic(narrow, 1, {{"max.message.bytes", narrow_limit}});
    const Process relay = deleting_relay();
    const auto id = failed_and_overtaken();
    EXPECT_TRUE(wait_until([&] { return on_narrow() == 1; }, 30s)) << relay.errors();
    EXPECT_THAT(refused({"retry", "--id", id}), HasSubstr("RELAY_ON_SENT=delete"));
    EXPECT_EQ(status(id), "FAILED");
    widen(narrow);
    EXPECT_THAT(done({"retry", "--id", id, "--force"}), HasSubstr("1 event is NEW again"));
    EXPECT_TRUE(wait_until([&] { return on_narrow() == 0; }, 30s)) << relay.errors();
}

TEST_F(DeletedRows, AFailedEventForWhichItsKeyWaitsIsSentAgain) {
    create_topic(narrow, 1, {{"max.message.bytes", narrow_limit}});
    const Process relay = deleting_relay({{"RELAY_ON_FAILED", "block-key"}});
    const auto id = failed_and_overtaken();
    widen(narrow);
    EXPECT_THAT(done({"retry", "--id", id}), HasSubstr("1 event is NEW again"));
    EXPECT_TRUE(wait_until([&] { return on_narrow() == 0; }, 30s)) << relay.errors();
    const auto messages = read_topic(narrow);
    ASSERT_EQ(messages.size(), 2U);
    EXPECT_GT(messages.front().value.size(), messages.back().value.size()) << "the first one first";
}

TEST_F(DeletedRows, ARelayThatMayNotDeleteSaysWhatToType) {
    const support::Role app;
    support::grant_least(database, app, role);
    auto variables = role.variables();
    variables["RELAY_ON_SENT"] = "delete";
    Process relay = start_relay(variables);
    EXPECT_TRUE(relay.wait_for_text("GRANT DELETE ON outbox_events TO " + role.name(), Deadline::in(30s)))
        << relay.errors();
    database.query("GRANT DELETE ON outbox_events TO " + role.name());
    insert({.key = "a"});
    EXPECT_TRUE(wait_empty()) << relay.errors();
}

TEST_F(DeletedRows, ATableThatRefersToEventsIsNamed) {
    auto session = database.connect();
    script(session, "CREATE TABLE mine (event UUID REFERENCES outbox_events)");
    Process relay = start_relay({{"RELAY_ON_SENT", "delete"}});
    EXPECT_TRUE(relay.wait_for_text("ALTER TABLE mine DROP CONSTRAINT mine_event_fkey", Deadline::in(30s)))
        << relay.errors();
}

TEST_F(DeletedRows, ATriggerThatKeepsRowsIsNamedAndNothingIsSentTwiceForIt) {
    auto session = database.connect();
    script(session,
           "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
           "CREATE TRIGGER keep BEFORE DELETE ON outbox_events FOR EACH ROW EXECUTE FUNCTION keep()");
    Process relay = start_relay({{"RELAY_ON_SENT", "delete"}});
    write(20);
    EXPECT_TRUE(relay.wait_for_text("type DROP TRIGGER keep ON outbox_events", Deadline::in(30s)))
        << relay.errors();
    EXPECT_EQ(count("true"), 20);
    script(session, "DROP TRIGGER keep ON outbox_events");
    EXPECT_TRUE(wait_empty()) << relay.errors();
    expect_each_once(20);
}

TEST_F(DeletedRows, ReconcileAndBackfillSayWhatTheyCannotKnow) {
    Process relay = deleting_relay();
    write(20);
    EXPECT_TRUE(wait_empty()) << relay.errors();
    EXPECT_EQ(stop(relay).exit_code, 0);
    EXPECT_THAT(done({"reconcile"}),
                HasSubstr("20 records have no row here (relays delete events that are sent"));
    const auto replay = support::run(
        {{support::program("outbox-backfill"), "--dry-run", "--aggregate-type", "user"}, environment()}, 60s);
    EXPECT_THAT(replay.errors, HasSubstr("RELAY_ON_SENT=delete"));
}

} // namespace
} // namespace outbox::relays
