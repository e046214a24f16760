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
    void back_up() {
        database.query("CREATE TABLE saved_shards AS SELECT * FROM outbox_shards");
        database.query("CREATE TABLE saved_events AS SELECT id, status, seq FROM outbox_events");
    }
    /// Later rows are gone, and their numbers are given out again.
    void restore() {
        database.query("DELETE FROM outbox_events WHERE id NOT IN (SELECT id FROM saved_events)");
        database.query("UPDATE outbox_events AS e SET status = s.status, processed_at = NULL"
                       " FROM saved_events AS s WHERE s.id = e.id AND s.status <> 'SENT'");
        database.query(
            "SELECT setval(pg_get_serial_sequence('outbox_events', 'seq'), max(seq)) FROM saved_events");
        database.query("DELETE FROM outbox_shards");
        database.query("INSERT INTO outbox_shards SELECT * FROM saved_shards");
    }
    /// A relay comes, sends this event and whatever waits besides, and goes.
    void come_and_go(const std::string& key) {
        Process relay = ready_relay();
        insert({.key = key});
        EXPECT_TRUE(wait_all_sent()) << relay.errors();
        EXPECT_EQ(stop(relay).exit_code, 0);
    }
    /// Three events, sent by a relay with these settings and known to nobody but the topics any more.
    void send_and_forget(const Variables& changes) {
        Process relay = ready_relay(changes);
        for (const char* key : {"a", "b", "c"}) {
            const auto id = insert({.key = key});
            ASSERT_TRUE(wait_sent(id)) << relay.errors();
        }
        EXPECT_EQ(stop(relay).exit_code, 0);
        forget();
    }
    void forget() {
        database.query("UPDATE outbox_events SET status = 'NEW', processed_at = NULL, kafka_partition = NULL,"
                       " kafka_offset = NULL");
    }
    [[nodiscard]] std::string refused_with(const Words& words, const Variables& changes) const {
        const auto outcome = verb(words, changes);
        EXPECT_EQ(outcome.exit_code, 1) << outcome.output;
        return outcome.errors;
    }
    bool wait_dead() {
        return wait_until(
            [&] {
                return database.number(
                           "SELECT count(*) FROM pg_locks WHERE classid = 'public'::regnamespace AND "
                           "objid::bigint >> 28 = 3"
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
        ASSERT_TRUE(puzzled.wait_for(Signal("stopped").saying("is not at offset"), Deadline::in(30s)))
            << puzzled.errors();
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
    back_up(); // 100 events are not sent yet
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
    restore();
    EXPECT_THAT(done({"reconcile", "--apply"}),
                testing::AllOf(HasSubstr("100 events are SENT"), HasSubstr("101 records have no row here")));
    const Process relay = ready_relay();
    ASSERT_EQ(support::run(load({"--events", "100"}), 60s).exit_code, 0);
    ASSERT_TRUE(wait_all_sent()) << relay.errors();
    const auto messages = read_topic(topic);
    EXPECT_EQ(messages.size(), 501U);
    expect_each_once(messages);
}

TEST_F(Reconcile, IsWhatAShardAsksForThatMeetsAnOlderBackup) {
    come_and_go("a");
    const auto forgotten = insert({.key = "a"});
    back_up();
    for (int i = 0; i < 3; ++i) { // so that one epoch at least is above that of the next owner
        come_and_go("a");
    }
    restore();
    const auto later = insert({.key = "a"});
    {
        Process relay = start_relay();
        const auto shard = fmt::format(" FROM outbox_shards WHERE shard = {}", shard_of("a"));
        ASSERT_TRUE(wait_until([&] { return database.number("SELECT count(stopped)" + shard) == 1; }, 60s))
            << relay.errors();
        EXPECT_THAT(database.value("SELECT stopped" + shard), HasSubstr("`outbox-relay reconcile`"));
        EXPECT_EQ(stop(relay).exit_code, 0);
    }
    EXPECT_EQ(status(forgotten), "NEW");
    EXPECT_THAT(done({"reconcile", "--apply"}), HasSubstr("reconcile: 1 events are SENT"));
    const Process relay = ready_relay();
    EXPECT_TRUE(wait_sent(later)) << relay.errors();
    EXPECT_TRUE(sent(forgotten));
    expect_each_once(read_topic(topic));
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
    EXPECT_THAT(refused({"reconcile", "--apply"}),
                testing::AllOf(HasSubstr("whether 1 unsent events were sent"),
                               HasSubstr("1 events that are SENT stand in none")));
    EXPECT_EQ(status(id), "NEW");
    EXPECT_THAT(done({"reconcile", "--apply", "--force"}), HasSubstr("0 events are SENT"));
    const Process relay = ready_relay();
    EXPECT_TRUE(wait_sent(id)) << relay.errors();
}

struct Sending {
    const char* name;
    Variables variables;
};

void PrintTo(const Sending& sending, std::ostream* out) { // NOLINT(readability-identifier-naming): gtest's
    *out << sending.name;
}

class ReconcileAfter : public Reconcile, public testing::WithParamInterface<Sending> {};

TEST_P(ReconcileAfter, FindsEachEventWhateverItsRecordAndItsTopicLookLike) {
    const auto& variables = GetParam().variables;
    send_and_forget(variables);
    const auto again = insert({.key = "d"});
    const auto outcome = verb({"reconcile", "--apply"}, variables);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_THAT(outcome.output, HasSubstr("reconcile: 3 events are SENT"));
    EXPECT_EQ(count("status = 'SENT' AND kafka_partition >= 0 AND kafka_offset >= 0"), 3);
    EXPECT_EQ(status(again), "NEW");
}

INSTANTIATE_TEST_SUITE_P(Sendings, ReconcileAfter,
                         testing::Values(Sending{"structured", {{"RELAY_FORMAT", "cloudevents-structured"}}},
                                         Sending{"debezium", {{"RELAY_FORMAT", "debezium"}}},
                                         Sending{"template",
                                                 {{"RELAY_TOPIC_TEMPLATE", "${topic}.${aggregate_type}"}}}),
                         [](const auto& sending) { return std::string(sending.param.name); });

/// What parsers that compute numbers refuse, and what makes an event look like a dead letter.
TEST_P(ReconcileAfter, FindsEventsWhateverTheyHold) {
    const auto& variables = GetParam().variables;
    const std::vector<std::pair<std::string, std::string>> events{
        {R"({"big": 1e400, "id": 12345678901234567890123})", R"({"traceparent": "00-1-2-01", "n": 1e400})"},
        {"1" + std::string(400, '0'), "{}"},
        {R"({"deep": )" + std::string(2'000, '[') + std::string(2'000, ']') + "}", "{}"},
        {"{}", R"({"__connect.errors.topic": "t", "__connect.errors.class.name": "outbox-relay"})"}};
    {
        Process relay = ready_relay(variables);
        for (const auto& [data, headers] : events) {
            const auto id = database.value(
                "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic,"
                " headers) VALUES (gen_random_uuid(), 'user', 'a', 'user.created', $1::jsonb, $2, $3::jsonb)"
                " RETURNING id",
                {data, topic, headers});
            ASSERT_TRUE(wait_sent(id)) << relay.errors();
        }
        EXPECT_EQ(stop(relay).exit_code, 0);
    }
    forget();
    const auto outcome = verb({"reconcile", "--apply"}, variables);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_EQ(count("status = 'SENT'"), 4) << outcome.output;
}

TEST_F(Reconcile, KnowsTheTopicsOfATemplateThatAnOlderBackupDoesNotAndThoseThatNoTemplateNames) {
    const Variables variables{{"RELAY_TOPIC_TEMPLATE", "${topic}.${aggregate_type}"}};
    send_and_forget(variables);
    EXPECT_THAT(done({"reconcile"}), HasSubstr("3 events that the database has not as SENT"))
        << "by outbox_topics";
    database.query("DELETE FROM outbox_topics");
    EXPECT_THAT(verb({"reconcile"}, variables).output,
                HasSubstr("3 events that the database has not as SENT"));
}

TEST_F(Reconcile, RefusesToGuessWhereRecordsNameNoEvent) {
    const Variables raw{{"RELAY_FORMAT", "raw"}};
    send_and_forget(raw);
    for (const Words& words : {Words{"reconcile"}, Words{"reconcile", "--apply"}}) {
        EXPECT_THAT(refused_with(words, raw),
                    testing::AllOf(HasSubstr("whether 3 unsent events were sent"),
                                   HasSubstr("topic " + topic + " holds 3 records that name no event"),
                                   HasSubstr("What reconcile cannot know"), HasSubstr("--force")));
        EXPECT_EQ(count("status = 'NEW'"), 3);
    }
    EXPECT_THAT(audit(), IsEmpty());
    EXPECT_THAT(done({"reconcile", "--apply", "--force"}), HasSubstr("0 events are SENT"));
}

TEST_F(Reconcile, TrustsAnIdInARawRecordOnlyWhereItIsAnEvents) {
    const Variables raw{{"RELAY_FORMAT", "raw"}};
    {
        Process relay = ready_relay(raw);
        for (const char* headers :
             {"jsonb_build_object('ce_id', i)", "jsonb_build_object('id', gen_random_uuid())"}) {
            const auto id = database.value(fmt::format("INSERT INTO outbox_events (id, aggregate_type, "
                                                       "aggregate_id, event_type, event_data, topic, headers)"
                                                       " SELECT i, 'user', 'a', 'user.created', '{{}}', "
                                                       "'{}', {} FROM gen_random_uuid() AS i RETURNING id",
                                                       topic, headers));
            ASSERT_TRUE(wait_sent(id)) << relay.errors();
        }
        EXPECT_EQ(stop(relay).exit_code, 0);
    }
    forget();
    EXPECT_THAT(refused_with({"reconcile", "--apply"}, raw),
                testing::AllOf(HasSubstr("whether 1 unsent events were sent"), HasSubstr("holds 1 records")));
}

TEST_F(Reconcile, TakesAReplayInAnotherTopicForNoProof) {
    const auto other = topic + ".other";
    {
        Process relay = ready_relay();
        ASSERT_TRUE(wait_sent(insert({.key = "a", .topic = other}))) << relay.errors();
        ASSERT_TRUE(wait_sent(insert({.key = "b"}))) << relay.errors();
        EXPECT_EQ(stop(relay).exit_code, 0);
    }
    const auto replayed =
        support::run({{support::program("outbox-backfill"), "--aggregate-id", "b", "--topic", other, "--yes"},
                      environment()},
                     120s);
    ASSERT_EQ(replayed.exit_code, 0) << replayed.errors;
    forget();
    ASSERT_TRUE(wait_until([&] { return read_topic(topic).size() == 1; }, 30s));
    delete_topic(topic);
    EXPECT_THAT(refused({"reconcile", "--apply"}), HasSubstr("whether 1 unsent events were sent"));
}

TEST_F(Reconcile, RefusesToGuessWhereATopicIsGoneOrMadeAnewOrCompactedThoughNoSentEventIsLeft) {
    send_and_forget({});
    const auto apply = [&] { return refused({"reconcile", "--apply"}); };
    ASSERT_TRUE(wait_until([&] { return read_topic(topic).size() == 3; }, 30s));
    delete_topic(topic);
    EXPECT_THAT(apply(), HasSubstr("topic " + topic + " does not exist"));
    create_topic(topic, 6);
    EXPECT_THAT(apply(), HasSubstr("topic " + topic + " is empty, though events were sent there"));
    delete_topic(topic);
    create_topic(topic, 6, {{"cleanup.policy", "compact"}});
    EXPECT_THAT(apply(), HasSubstr("topic " + topic + " does not keep all its records"));
    EXPECT_EQ(count("status = 'NEW'"), 3);
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

TEST_F(Adopt, EndsARelayThatWasAwayMeanwhileBeforeItSendsAnything) {
    Process away = ready_relay({{"RELAY_LEASE", "2"}});
    ASSERT_TRUE(wait_sent(insert({.key = "first"}))) << away.errors();
    away.signal(SIGSTOP);
    support::Outcome adopted;
    EXPECT_TRUE(wait_until(
        [&] {
            adopted = verb({"adopt", "--force"}, renamed); // it cannot be asked whether it is settled
            return adopted.exit_code == 0;
        },
        60s))
        << adopted.errors;
    const auto id = insert({.key = "second"});
    away.signal(SIGCONT);
    const auto ended = away.wait(Deadline::in(60s));
    EXPECT_EQ(ended.exit_code, 1);
    EXPECT_THAT(ended.errors, HasSubstr("has got another id since this relay started"));
    EXPECT_EQ(status(id), "NEW");
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
