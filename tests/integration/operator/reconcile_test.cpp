#include "fixture.hpp"

#include <fmt/format.h>

#include <csignal>
#include <set>

namespace outbox::relays {
namespace {

class Reconcile : public Operator {
protected:
    std::string control() const { return fmt::format("outbox.{}.control", database.name()); }
    std::string states() {
        return database.value("SELECT string_agg(status || ' ' || n, ', ' ORDER BY status) FROM"
                              " (SELECT status, count(*) AS n FROM outbox_events GROUP BY 1) AS s");
    }
    static void expect_each_once(const std::vector<Message>& messages) {
        std::set<std::string> ids;
        for (const Message& message : messages) {
            EXPECT_TRUE(ids.insert(message.headers.at("ce_id")).second) << message.headers.at("ce_id");
        }
    }
    bool wait_all_sent() {
        return wait_until([&] { return count("status <> 'SENT'") == 0; }, 90s);
    }
    bool wait_dead() {
        return wait_until(
            [&] {
                return database.number(
                           "SELECT count(*) FROM pg_locks WHERE classid = 1868693507"
                           " AND locktype = 'advisory' AND database = (SELECT oid FROM pg_database"
                           " WHERE datname = current_database())") == 0;
            },
            30s);
    }
};

TEST_F(Reconcile, SettlesByTheTopicsWhatALostControlTopicCannotTell) {
    {
        Process first = ready_relay(); // no shard has marked an event when the topic is lost
        EXPECT_THAT(refused({"reconcile", "--apply"}), HasSubstr("relays are alive"));
        EXPECT_EQ(stop(first).exit_code, 0);
    }
    ASSERT_EQ(support::run(load({"--events", "300"}), 60s).exit_code, 0);
    Process doomed = start_relay_with_fault("after-commit:1");
    ASSERT_EQ(doomed.wait(Deadline::in(60s)).signal, SIGKILL) << doomed.errors();
    ASSERT_TRUE(wait_dead());
    delete_topic(control());
    {
        Process puzzled = start_relay();
        ASSERT_TRUE(puzzled.wait_for_text("is not at offset", Deadline::in(30s))) << puzzled.errors();
        puzzled.kill();
    }
    ASSERT_TRUE(wait_dead());
    const auto before = states();
    EXPECT_THAT(done({"reconcile"}), HasSubstr("nothing is changed without --apply"));
    EXPECT_EQ(states(), before);
    EXPECT_THAT(audit(), IsEmpty());
    EXPECT_THAT(done({"reconcile", "--apply", "--reason", "control topic deleted"}),
                HasSubstr("events are SENT"));
    EXPECT_NE(states(), before);
    EXPECT_EQ(count("status = 'PROCESSING'"), 0);
    EXPECT_EQ(audit().size(), 1U);
    EXPECT_THAT(done({"reconcile", "--apply"}), HasSubstr("reconcile: 0 events are SENT"));
    const Process relay = ready_relay();
    ASSERT_TRUE(wait_all_sent()) << relay.errors();
    expect_exactly_once();
}

TEST_F(Reconcile, SettlesByTheTopicsWhatAnOlderBackupDoesNotKnow) {
    ASSERT_EQ(support::run(load({"--events", "200"}), 60s).exit_code, 0);
    {
        Process first = ready_relay();
        ASSERT_TRUE(wait_all_sent()) << first.errors();
        EXPECT_EQ(stop(first).exit_code, 0);
    }
    ASSERT_EQ(support::run(load({"--events", "100"}), 60s).exit_code, 0);
    // The backup: 100 events are not sent yet.
    database.query("CREATE TABLE saved_shards AS SELECT * FROM outbox_shards");
    database.query("CREATE TABLE saved_events AS SELECT id FROM outbox_events");
    {
        Process second = ready_relay();
        ASSERT_EQ(support::run(load({"--events", "100"}), 60s).exit_code, 0);
        ASSERT_TRUE(wait_all_sent()) << second.errors();
        EXPECT_EQ(stop(second).exit_code, 0);
    }
    {
        Process third = ready_relay();
        ASSERT_TRUE(wait_sent(insert({.key = "later"}))) << third.errors();
        EXPECT_EQ(stop(third).exit_code, 0);
    }
    // Restored: later rows are gone, their numbers are given out again.
    database.query("DELETE FROM outbox_events WHERE id NOT IN (SELECT id FROM saved_events)");
    database.query("UPDATE outbox_events SET status = 'NEW', processed_at = NULL WHERE seq > 200");
    database.query("SELECT setval(pg_get_serial_sequence('outbox_events', 'seq'), 300)");
    database.query("DELETE FROM outbox_shards");
    database.query("INSERT INTO outbox_shards SELECT * FROM saved_shards");
    EXPECT_THAT(done({"reconcile", "--apply"}),
                testing::AllOf(HasSubstr("100 events are SENT"), HasSubstr("101 records have no row here")));
    const Process relay = ready_relay();
    ASSERT_EQ(support::run(load({"--events", "100"}), 60s).exit_code, 0);
    ASSERT_TRUE(wait_all_sent()) << relay.errors();
    const auto messages = read_topic(topic);
    EXPECT_EQ(messages.size(), 501U);
    expect_each_once(messages);
}

TEST_F(Reconcile, RefusesToGuessWhereATopicHasLostRecords) {
    {
        Process first = ready_relay();
        ASSERT_TRUE(wait_sent(insert({.key = "first"}))) << first.errors();
        EXPECT_EQ(stop(first).exit_code, 0);
    }
    // Kafka keeps a transaction for half a minute whose topic goes before the marker is written there.
    ASSERT_TRUE(wait_until([&] { return read_topic(topic).size() == 1; }, 30s));
    delete_topic(topic);
    create_topic(topic, 6);
    const auto id = insert({.key = "second"});
    EXPECT_THAT(refused({"reconcile", "--apply"}), HasSubstr(topic + " (1 events)"));
    EXPECT_EQ(status(id), "NEW");
    EXPECT_THAT(done({"reconcile", "--apply", "--force"}), HasSubstr("0 events are SENT"));
    const Process relay = ready_relay();
    EXPECT_TRUE(wait_sent(id)) << relay.errors();
}

class Adopt : public Reconcile {
protected:
    const Variables renamed{{"OUTBOX_NAME", database.name() + ".copy"}};
    std::string outbox_id() { return database.value("SELECT outbox_id FROM outbox_meta"); }
};

TEST_F(Adopt, GivesACopyAnOutboxOfItsOwnAndRefusesWhatIsNotSettled) {
    EXPECT_THAT(done({"adopt"}), HasSubstr("the first one adopts it"));
    {
        Process first = ready_relay();
        ASSERT_TRUE(wait_sent(insert({.key = "first"}))) << first.errors();
        EXPECT_THAT(verb({"adopt"}, renamed).errors, HasSubstr("relays are alive"));
        EXPECT_EQ(stop(first).exit_code, 0);
    }
    const auto before = outbox_id();
    const auto id = insert({.key = "second"});
    database.query(fmt::format("UPDATE outbox_events SET status = 'PROCESSING' WHERE id = '{}'", id));
    const auto unsettled = verb({"adopt"}, renamed);
    EXPECT_EQ(unsettled.exit_code, 1);
    EXPECT_THAT(unsettled.errors, HasSubstr("1 events are PROCESSING"));
    EXPECT_EQ(outbox_id(), before);
    const auto forced = verb({"adopt", "--force"}, renamed);
    EXPECT_EQ(forced.exit_code, 0) << forced.errors;
    EXPECT_THAT(forced.output, HasSubstr("this database belongs to " + renamed.at("OUTBOX_NAME")));
    EXPECT_NE(outbox_id(), before);
    EXPECT_THAT(verb({"adopt"}, renamed).output, HasSubstr("nothing to do"));
    EXPECT_THAT(refused({"adopt"}),
                HasSubstr("holds manifests of outbox " + before)); // back under the first name
    const Process relay = ready_relay(renamed);
    EXPECT_TRUE(wait_sent(id)) << relay.errors();
    EXPECT_EQ(read_topic(topic).size(), 2U);
}

TEST_F(Adopt, IsTheWayPastAnotherCluster) {
    {
        Process first = ready_relay();
        EXPECT_EQ(stop(first).exit_code, 0);
    }
    database.query("UPDATE outbox_meta SET cluster_id = 'of-another-cluster'");
    delete_topic(fmt::format("outbox.{}.control", database.name())); // it stayed in the other cluster
    {
        Process lost = start_relay();
        EXPECT_EQ(lost.wait(Deadline::in(30s)).exit_code, 1) << lost.errors();
    }
    EXPECT_THAT(refused({"reconcile"}), HasSubstr("adopt first"));
    EXPECT_THAT(done({"adopt", "--reason", "moved"}),
                HasSubstr("before: " + database.name() + " of cluster of-another-cluster"));
    const Process relay = ready_relay();
    EXPECT_TRUE(wait_sent(insert({.key = "a"}))) << relay.errors();
    expect_exactly_once();
}

} // namespace
} // namespace outbox::relays
