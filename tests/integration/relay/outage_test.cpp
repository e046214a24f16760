// Kafka and PostgreSQL go away and come back; the servers are this program's own.

#include <outbox/support/environment.hpp>
#include <outbox/support/relays.hpp>
#include <outbox/support/stack.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <iostream>
#include <memory>

namespace outbox::relays {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;

std::unique_ptr<support::Stack> stack;

class Servers : public testing::Environment {
public:
    void SetUp() override {
        // What is visible and not yet durable stays so for long: the log is flushed late, and so little is
        // written to it that no page of it gets full, which would be written out.
        stack = std::make_unique<support::Stack>(
            support::Stack::Options{.postgres_options = "wal_writer_delay = 10s\nfull_page_writes = off"});
    }
    void TearDown() override { stack.reset(); }
};

const auto* const servers = testing::AddGlobalTestEnvironment(new Servers); // owned by gtest

class Outage : public Relays {
protected:
    /// In a session of its own: the fixture's ends with the server.
    std::int64_t count_now(const std::string& where) const {
        auto session = database.connect();
        return session.query("SELECT count(*) FROM outbox_events WHERE " + where, {}, Deadline::in(30s))
            .integer(0, 0);
    }
    bool wait_sent_rows(std::int64_t wanted, std::chrono::milliseconds limit) const {
        auto session = database.connect();
        return wait_until(
            [&] {
                return session
                           .query("SELECT count(*) FROM outbox_events WHERE status = 'SENT'", {},
                                  Deadline::in(30s))
                           .integer(0, 0) >= wanted;
            },
            limit);
    }
    /// Lets a server start, and measures how soon afterwards the relay goes on. Asked for is two seconds; how
    /// busy the machine is shows in how much longer the server takes to start than on an idle one.
    void expect_goes_on_soon(const Process& relay, const std::string& start, milliseconds start_when_idle) {
        const auto started = SteadyClock::now();
        stack->run({start});
        const auto start_took = std::chrono::duration_cast<milliseconds>(SteadyClock::now() - started);
        const auto before = count_now("status = 'SENT'");
        const auto took = time_until([&] { return count_now("status = 'SENT'") > before; }, 60s);
        std::cout << "goes on " << took.count() << " ms after " << start << ", which took "
                  << start_took.count() << " ms\n";
        const auto limit = 2s * slowness * std::max(start_took, start_when_idle).count();
        EXPECT_LE(took, limit / start_when_idle.count()) << relay.errors();
    }
    static void expect_success(Process& process) {
        const auto outcome = process.wait(Deadline::in(120s));
        EXPECT_EQ(outcome.exit_code, 0) << outcome.output << outcome.errors;
    }
};

TEST_F(Outage, KafkaAwayFor30SecondsCostsNoRetryAndNoEvent) {
    const Process relay = ready_relay();
    Process writer(load({"--events", "2000", "--rate", "50", "--keys", "50"}));
    ASSERT_TRUE(wait_sent_rows(50, 30s)) << relay.errors();
    stack->run({"stop-kafka"});
    stay_quiet(30s);
    EXPECT_EQ(count("status = 'FAILED' OR retry_count > 0"), 0);
    expect_goes_on_soon(relay, "start-kafka", 2s);
    expect_success(writer);
    expect_exactly_once();
    EXPECT_EQ(count("status = 'FAILED' OR retry_count > 0"), 0);
    if (HasFailure()) {
        std::cout << relay.errors();
    }
}

/// A broker that goes in mid-transaction now and then forgets to end it (docs/decisions/0010).
class LoneBroker : public Outage {
protected:
    static int rounds() {
        const auto asked = support::optional_variable("OUTBOX_OUTAGE_ROUNDS");
        return asked ? std::stoi(*asked) : 1;
    }
    void goes_in_mid_transaction(const std::string& how) {
        const Process relay = ready_relay({{"RELAY_SHARDS", "8"}});
        std::int64_t sent = 0;
        for (int round = 0; round < rounds(); ++round) {
            Process writer(load({"--events", "1000", "--rate", "200", "--keys", "200"}));
            ASSERT_TRUE(wait_sent_rows(sent + 400, 60s)) << relay.errors();
            stack->run({how});
            stack->run({"start-kafka"});
            expect_success(writer);
            sent += 1000;
            ASSERT_TRUE(wait_sent_rows(sent, 60s)) << relay.errors();
        }
        expect_exactly_once();
        EXPECT_EQ(count("status = 'FAILED' OR retry_count > 0"), 0);
        std::cout << relay.count(Signal("marker_written")) << " lost markers written in " << rounds()
                  << " rounds\n";
    }
};

TEST_F(LoneBroker, KilledInMidTransactionCostsNoEvent) {
    goes_in_mid_transaction("kill-kafka");
}

TEST_F(LoneBroker, StoppedInMidTransactionCostsNoEvent) {
    goes_in_mid_transaction("stop-kafka");
}

TEST_F(Outage, PostgresKilledInMidBatchLosesAndRepeatsNothing) {
    const Process relay = ready_relay({{"RELAY_TRANSACTION_EVENTS", "200"}});
    Process writer(load({"--events", "20000", "--writers", "2", "--batch", "20", "--keys", "200"}));
    ASSERT_TRUE(wait_sent_rows(500, 30s)) << relay.errors();
    stack->run({"kill-postgres"});
    expect_goes_on_soon(relay, "start-postgres", 400ms);
    expect_success(writer);
    expect_exactly_once();
    EXPECT_EQ(count_now("retry_count > 0"), 0);
}

TEST_F(Outage, PostgresKilledBetweenACommitAndItsMarkLosesAndRepeatsNothing) {
    Process relay = start_relay_with_fault("after-commit:1:stop");
    ASSERT_EQ(support::run(load({"--events", "200"}), 60s).exit_code, 0);
    ASSERT_TRUE(wait_until([&] { return relay.stopped(); }, 60s)) << relay.errors();
    EXPECT_TRUE(wait_until([&] { return !read_visible(topic).empty(); }, 2 * broker_gives_up))
        << "transactions of other shards may lie before the one that was committed, open until then";
    EXPECT_EQ(count_now("status = 'SENT'"), 0);
    stack->run({"kill-postgres"});
    stack->run({"start-postgres"});
    relay.signal(SIGCONT);
    expect_exactly_once();
    EXPECT_GT(count_now("status = 'SENT' AND kafka_offset IS NULL"), 0) << "not told by the manifest";
}

TEST_F(Outage, AnImmediateRestartUnderAsynchronousCommitsLeavesNoPhantom) {
    const Process relay = ready_relay();
    for (int round = 0; round < 3; ++round) {
        Process writer(load({"--events", "3000", "--writers", "2", "--keys", "100", "--rate", "1000"},
                            {{"PGOPTIONS", "-c synchronous_commit=off"}}));
        ASSERT_TRUE(wait_sent_rows(count_now("true") + 300, 60s)) << relay.errors();
        stack->run({"kill-postgres"});
        stack->run({"start-postgres"});
        expect_success(writer);
    }
    expect_exactly_once(); // a record without its row would be a stranger
}

TEST_F(Outage, AnEventIsOnDiskBeforeAConsumerSeesIt) {
    const Process relay = ready_relay({{"RELAY_TRACK_PROCESSING", "off"}});
    std::size_t events = 0;
    for (int round = 0; round < 4; ++round) {
        const auto insert_one = [&](const std::string& commit) {
            auto session = database.connect();
            script(session, "SET synchronous_commit = " + commit + "; " + insert_sql({.key = "a"}));
            ++events;
            ASSERT_TRUE(wait_until([&] { return read_topic(topic).size() == events; }, 60s))
                << relay.errors();
        };
        insert_one("on"); // the relay is ready again, and has written what it writes once
        insert_one("off");
        stack->run({"kill-postgres"});
        stack->run({"start-postgres"});
        ASSERT_EQ(count_now("true"), static_cast<std::int64_t>(events))
            << "visible, and lost by the database";
    }
    expect_exactly_once();
}

TEST_F(Outage, APostgresThatDoesNotFlushIsAnErrorInTheLog) {
    const auto fsync = [](const std::string& value) {
        support::on_server("ALTER SYSTEM SET fsync = " + value);
        support::on_server("SELECT pg_reload_conf()");
    };
    EXPECT_EQ(lines_with("fsync=off", ready_relay().errors()), 0);
    fsync("off");
    ASSERT_TRUE(wait_until([&] { return database.value("SHOW fsync") == "off"; }));
    EXPECT_THAT(ready_relay().errors(), ContainsRegex("\"level\":\"error\"[^\n]*fsync=off"));
    fsync("on");
}

TEST_F(Outage, AKafkaThatMayForgetTransactionsIsAnErrorInTheLog) {
    const auto words = "unclean.leader.election.enable=true";
    EXPECT_EQ(lines_with(words, ready_relay().errors()), 0);
    const auto unclean_election = [](const std::string& value) {
        alter_topic("__transaction_state",
                    {{"cleanup.policy", "compact"}, {"unclean.leader.election.enable", value}});
    };
    unclean_election("true");
    EXPECT_THAT(ready_relay().errors(), ContainsRegex(std::string("\"level\":\"error\"[^\n]*") + words));
    unclean_election("false");
}

TEST_F(Outage, AControlTopicThatWasReplacedStopsTheShardsWithTheReason) {
    const auto control = "outbox." + database.name() + ".control";
    Process first = ready_relay();
    ASSERT_EQ(support::run(load({"--events", "500"}), 60s).exit_code, 0);
    ASSERT_TRUE(wait_until([&] { return count("status = 'SENT'") == 500; }, 30s)) << first.errors();
    EXPECT_EQ(stop(first).exit_code, 0);
    delete_topic(control);
    create_topic(control, 64, {{"cleanup.policy", "compact"}});
    Process second = start_relay();
    EXPECT_TRUE(wait_until(
        [&] { return database.number("SELECT count(*) FROM outbox_shards WHERE stopped IS NULL") == 0; },
        60s))
        << second.errors();
    EXPECT_THAT(database.value("SELECT min(stopped) FROM outbox_shards"), HasSubstr("control topic"));
    EXPECT_EQ(second.count(Signal("stopped")), shards);
    EXPECT_EQ(read_topic(topic).size(), 500U);
    EXPECT_EQ(stop(second).exit_code, 0);
}

TEST_F(Outage, ADrainThatReachesItsDeadlineSaysWhatIsLeftAndLosesNothing) {
    // It ends with threads that still wait for Kafka.
    const auto sanitizer = support::optional_variable("TSAN_OPTIONS").value_or("") + " report_thread_leaks=0";
    Process relay = ready_relay({{"RELAY_DRAIN_TIMEOUT", "1"}, {"TSAN_OPTIONS", sanitizer}});
    ASSERT_TRUE(wait_sent(insert({.key = "first"}))) << relay.errors();
    stack->run({"pause-kafka"});
    insert({.key = "left"});
    EXPECT_TRUE(wait_until([&] { return count("status = 'PROCESSING'") == 1; }, 30s)) << relay.errors();
    const auto took = time_until([&] { return stop(relay).exit_code == 0; }, 30s);
    stack->run({"resume-kafka"});
    const auto log = relay.errors();
    EXPECT_LT(took, 5s * slowness) << log;
    EXPECT_THAT(log, HasSubstr("relay ends before its shards"));
    EXPECT_GE(lines_with(R"("events_in_flight":1)", log), 2) << log; // of its shard, and in all
    const Process next = start_relay();
    expect_exactly_once();
}

/// The new rows have the places and the numbers of those that are at the broker.
TEST_F(Outage, ATableThatIsEmptiedWhileItsEventsAreAtTheBrokerLosesNoneOfTheNewOnes) {
    for (const auto* track : {"on", "off"}) {
        Process relay = ready_relay({{"RELAY_SHARDS", "1"}, {"RELAY_TRACK_PROCESSING", track}});
        ASSERT_TRUE(wait_sent(insert({.key = "first"}))) << relay.errors();
        database.query("TRUNCATE outbox_events RESTART IDENTITY");
        stack->run({"pause-kafka"});
        for (int i = 0; i < 5; ++i) {
            insert({.key = "old"});
        }
        stay_quiet(500ms); // they are at the broker
        database.query("TRUNCATE outbox_events RESTART IDENTITY");
        std::vector<std::string> ids;
        for (int i = 0; i < 20; ++i) {
            ids.push_back(insert({.key = "new"}));
        }
        stack->run({"resume-kafka"});
        EXPECT_TRUE(wait_until([&] { return count("status <> 'SENT'") == 0; }, 60s)) << relay.errors();
        std::vector<std::string> seen;
        for (const auto& message : read_topic(topic)) {
            seen.push_back(message.headers.at("ce_id"));
        }
        EXPECT_THAT(seen, testing::IsSupersetOf(ids)) << track << relay.errors();
        EXPECT_EQ(stop(relay).exit_code, 0);
    }
}

TEST_F(Outage, AKafkaThatIsAwayShowsInTheStatusAlthoughNothingIsToBeSent) {
    const Process relay = ready_relay();
    const auto status = [&] {
        return support::run({{support::program("outbox-relay"), "status"}, environment()}, 30s);
    };
    EXPECT_EQ(status().exit_code, 0);
    stack->run({"stop-kafka"});
    EXPECT_TRUE(wait_until([&] { return status().exit_code == 1; }, 15s)) << relay.errors();
    EXPECT_THAT(status().output, HasSubstr("Kafka does not answer"));
    insert({.key = "a"});
    stay_quiet(20s); // it recovers again and again meanwhile
    const auto meanwhile = status();
    EXPECT_EQ(meanwhile.exit_code, 1) << meanwhile.output;
    EXPECT_THAT(meanwhile.output, HasSubstr(" recovering "));
    stack->run({"start-kafka"});
    EXPECT_TRUE(wait_until([&] { return status().exit_code == 0; }, 30s))
        << status().output << relay.errors();
    expect_exactly_once();
}

TEST_F(Outage, SigtermUnderLoadDrains) {
    Process relay = ready_relay();
    Process writer(load({"--events", "10000", "--writers", "2", "--batch", "10"}));
    ASSERT_TRUE(wait_sent_rows(500, 30s)) << relay.errors();
    const auto outcome = stop(relay);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_EQ(count("status = 'PROCESSING'"), 0) << outcome.errors;
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_shards WHERE owner IS NOT NULL"), 0);
    expect_success(writer);
    const Process next = start_relay();
    expect_exactly_once();
}

TEST_F(Outage, AQuotaThatHoldsARelayBackIsNamedByStatusWhichIsWellAllTheSame) {
    const auto quota = [](const std::string& how) {
        const auto outcome =
            support::run({{std::string(OUTBOX_SOURCE_DIR) + "/tools/kafka-cli", "configs",
                           "--bootstrap-server", support::required_variable("KAFKA_BROKERS"), "--alter", how,
                           how == "--add-config" ? "producer_byte_rate=50000" : "producer_byte_rate",
                           "--entity-type", "clients", "--entity-name", "outbox-relay"},
                          {}},
                         60s);
        ASSERT_EQ(outcome.exit_code, 0) << outcome.output << outcome.errors;
    };
    const auto status = [&](const std::string& form) {
        return support::run({{support::program("outbox-relay"), "status", form}, environment()}, 30s);
    };
    const Process relay = ready_relay({{"RELAY_SHARDS", "1"}});
    ASSERT_TRUE(wait_sent(insert({.key = "first"}))) << relay.errors();
    EXPECT_THAT(status("--json").output, HasSubstr(R"("slow": null)"));
    quota("--add-config");
    const auto names_it = [&] {
        insert({.key = "a", .data = R"({"text": ")" + std::string(100'000, 'x') + R"("})"});
        return status("--max-failed=0").output.find("\nshard 0 slow for ") != std::string::npos;
    };
    EXPECT_TRUE(wait_until(names_it, 60s)) << relay.errors();
    const auto seen = status("--max-failed=0");
    EXPECT_EQ(seen.exit_code, 0) << seen.output;
    EXPECT_THAT(seen.output, HasSubstr("a quota of Kafka's held its last batch back for "));
    EXPECT_THAT(status("--json").output, HasSubstr(R"("slow": "a quota of Kafka's)"));
    quota("--delete-config");
    EXPECT_TRUE(wait_until([&] { return count("status <> 'SENT'") == 0; }, 60s)) << relay.errors();
    expect_exactly_once();
}

/// Kafka's data is gone, as with a volume that was not mounted, or an address that went to another cluster.
TEST_F(Outage, AnotherClusterAtTheSameAddressIsSaidAndSentNothing) {
    Process relay = ready_relay();
    ASSERT_TRUE(wait_sent(insert({.key = "first"}))) << relay.errors();
    const auto first = database.value("SELECT cluster_id FROM outbox_meta");
    const auto made = relay.count(Signal("topic_created"));
    stack->run({"stop-kafka"});
    std::filesystem::remove(stack->folder() / "kafka.initialised");
    stack->run({"start-kafka"}); // empty, on the same port
    const auto id = insert({.key = "a"});
    const auto status = [&] {
        return support::run({{support::program("outbox-relay"), "status"}, environment()}, 30s);
    };
    const auto says = testing::AllOf(HasSubstr("KAFKA_BROKERS leads to the Kafka cluster "),
                                     HasSubstr(" now, and this outbox belongs to " + first),
                                     HasSubstr("outbox-relay adopt"));
    EXPECT_TRUE(wait_until([&] { return testing::Value(status().output, says); }, 90s))
        << status().output << relay.errors();
    EXPECT_EQ(status().exit_code, 1);
    EXPECT_THAT(relay.errors(), says);
    const auto unsent = database.value("SELECT status || ' ' || coalesce(retry_count, 0) FROM outbox_events"
                                       " WHERE id = $1",
                                       {id});
    EXPECT_THAT(unsent, testing::AnyOf("NEW 0", "PROCESSING 0")) << "no event is blamed";
    EXPECT_EQ(relay.count(Signal("topic_created")), made) << "nothing is made there";
    stop(relay);

    Process again = start_relay();
    const auto outcome = again.wait(Deadline::in(60s));
    EXPECT_EQ(outcome.exit_code, 1) << outcome.errors;
    EXPECT_THAT(outcome.errors, HasSubstr("outbox-relay adopt"));
    const auto adopted =
        support::run({{support::program("outbox-relay"), "adopt", "--force", "--reason", "the first is gone"},
                      environment()},
                     60s);
    EXPECT_EQ(adopted.exit_code, 0) << adopted.errors;
    const Process third = start_relay();
    EXPECT_TRUE(wait_sent(id, 60s)) << third.errors();
    EXPECT_EQ(read_topic(topic).size(), 1U);
}

} // namespace
} // namespace outbox::relays
