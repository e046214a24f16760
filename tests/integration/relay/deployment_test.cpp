// Two deployments that take each other for themselves: the relays must stop, not share.

#include <outbox/support/environment.hpp>
#include <outbox/support/relays.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <set>

namespace outbox::relays {
namespace {

using testing::HasSubstr;

class TwoDeployments : public Relays {
protected:
    /// In a session of its own, so that nothing holds the database open.
    static std::string ask(const support::TestDatabase& of, const std::string& sql) {
        auto session = of.connect();
        return session.query(sql, {}, Deadline::in(30s)).text(0, 0);
    }

    [[nodiscard]] Process relay_of(const support::TestDatabase& of) const {
        auto variables = environment();
        variables["DB_NAME"] = of.name();
        return Process({{support::program("outbox-relay-faults")}, variables});
    }

    [[nodiscard]] Process writer_of(const support::TestDatabase& of, int events, int rate = 0) const {
        auto command = load({"--events", std::to_string(events), "--rate", std::to_string(rate)});
        command.environment["DB_NAME"] = of.name();
        return Process(command);
    }

    static bool all_sent(const support::TestDatabase& of, int events) {
        return wait_until(
            [&] {
                return ask(of, "SELECT count(*) FROM outbox_events WHERE status = 'SENT'") ==
                       std::to_string(events);
            },
            60s);
    }

    /// Ids that a consumer has seen more than once.
    [[nodiscard]] std::vector<std::string> seen_twice() const {
        std::set<std::string> seen;
        std::vector<std::string> twice;
        for (const Message& message : read_topic(topic)) {
            if (!seen.insert(message.headers.at("ce_id")).second) {
                twice.push_back(message.headers.at("ce_id"));
            }
        }
        return twice;
    }
};

TEST_F(TwoDeployments, OfOneNameButTwoDatabasesTheSecondEndsWithTheReason) {
    const Process first = ready_relay();
    for (int i = 0; i < 64; ++i) {
        insert({.key = fmt::format("k{}", i)});
    }
    ASSERT_TRUE(wait_until([&] { return count("status = 'SENT'") == 64; }, 30s)) << first.errors();

    support::TestDatabase other;
    Process second = relay_of(other);
    const auto outcome = second.wait(Deadline::in(60s));
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors, HasSubstr("set OUTBOX_NAME="));

    insert({.key = "goes on"});
    expect_exactly_once();
}

TEST_F(TwoDeployments, OfACopiedDatabaseNeverSendAnEventTwiceAndOneOfThemStops) {
    support::TestDatabase copy(support::TestDatabase::Start::absent);
    const support::TestDatabase original;
    {
        Process relay = relay_of(original);
        EXPECT_EQ(writer_of(original, 400).wait(Deadline::in(60s)).exit_code, 0);
        ASSERT_TRUE(all_sent(original, 400)) << relay.errors();
        EXPECT_EQ(stop(relay).exit_code, 0);
    }
    {
        auto server = postgres::Connection::open(support::server_options("postgres"), Deadline::in(30s));
        server.query(fmt::format("CREATE DATABASE {} TEMPLATE {}", copy.name(), original.name()), {},
                     Deadline::in(60s));
    }
    const Process first = relay_of(original);
    const Process second = relay_of(copy);
    Process here = writer_of(original, 1'500, 150);
    Process there = writer_of(copy, 1'500, 150);
    const auto stopped = [](const support::TestDatabase& of) {
        return ask(of, "SELECT count(*) FROM outbox_shards WHERE stopped IS NOT NULL") != "0";
    };
    EXPECT_TRUE(wait_until([&] { return stopped(original) || stopped(copy); }, 60s))
        << first.errors() << second.errors();
    EXPECT_EQ(here.wait(Deadline::in(60s)).exit_code, 0);
    EXPECT_EQ(there.wait(Deadline::in(60s)).exit_code, 0);
    EXPECT_THAT(seen_twice(), testing::IsEmpty());
}

TEST_F(TwoDeployments, OfOneDatabaseOnAnotherClusterTheRelayEndsWithTheReason) {
    {
        Process first = ready_relay();
        EXPECT_EQ(stop(first).exit_code, 0);
    }
    insert({.key = "k"});
    database.query("UPDATE outbox_meta SET cluster_id = 'another-cluster'"); // as if it had begun there
    const auto outcome = start_relay().wait(Deadline::in(60s));
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors, HasSubstr("the Kafka cluster"));
    EXPECT_THAT(outcome.errors, HasSubstr("another-cluster"));
    EXPECT_THAT(outcome.errors, HasSubstr("`outbox-relay adopt`"));
    EXPECT_EQ(count("status = 'NEW'"), 1);
}

class ControlTopic : public Relays {
protected:
    const std::string control = "outbox." + database.name() + ".control";

    /// A relay refuses it, with the command that sets `setting`.
    void expect_refused(const std::string& setting) {
        const auto outcome = start_relay().wait(Deadline::in(60s));
        EXPECT_EQ(outcome.exit_code, 1);
        EXPECT_THAT(outcome.errors, HasSubstr("kafka-configs.sh --bootstrap-server " +
                                              support::required_variable("KAFKA_BROKERS") +
                                              " --alter --topic " + control + " --add-config " + setting));
    }
};

TEST_F(ControlTopic, ThatDeletesWhatIsOldIsRefusedWithTheCommandToType) {
    create_topic(control, shards, {{"cleanup.policy", "delete"}});
    expect_refused("cleanup.policy=compact");
}

TEST_F(ControlTopic, WithUncleanLeaderElectionIsRefusedWithTheCommandToType) {
    create_topic(control, shards,
                 {{"cleanup.policy", "compact"}, {"unclean.leader.election.enable", "true"}});
    expect_refused("unclean.leader.election.enable=false");
}

class KafkaAway : public Relays {
protected:
    /// A relay says so once, and again ten seconds later at the earliest.
    void expect_named(const Variables& changes, const std::string& address, const std::string& cause) {
        Process relay = start_relay(changes);
        const std::string reason = "no Kafka broker answered in time at " + address + ": " + address;
        ASSERT_TRUE(relay.wait_for(Signal("waits").saying(reason), Deadline::in(60s))) << relay.errors();
        const auto log = stop(relay).errors;
        EXPECT_THAT(log, HasSubstr(cause));
        EXPECT_LE(lines_with(reason, log), 2);
    }
};

TEST_F(KafkaAway, IsNamedWithItsAddressAndCause) {
    const std::string postgres = "127.0.0.1:" + support::required_variable("DB_PORT");
    const std::string kafka = support::required_variable("KAFKA_BROKERS");
    expect_named({{"KAFKA_BROKERS", "127.0.0.1:1"}}, "127.0.0.1:1", "Connection refused");
    expect_named({{"KAFKA_BROKERS", "nowhere.invalid:9092"}}, "nowhere.invalid:9092", "Failed to resolve");
    expect_named({{"KAFKA_BROKERS", postgres}}, postgres, "it speaks another protocol than Kafka's");
    expect_named({{"KAFKA_SECURITY_PROTOCOL", "SSL"}}, kafka, "it does not seem to speak TLS");
}

TEST_F(KafkaAway, WhatNeverWorksIsRefusedAtStartInOneLine) {
    const auto outcome = start_relay({{"KAFKA_BROKERS", "http://127.0.0.1:9092"}}).wait(Deadline::in(60s));
    EXPECT_EQ(outcome.exit_code, 2);
    EXPECT_EQ(outcome.errors, "outbox-relay: KAFKA_BROKERS=http://127.0.0.1:9092 is not allowed: it must be "
                              "host:port, or several with commas between\n");
}

} // namespace
} // namespace outbox::relays
