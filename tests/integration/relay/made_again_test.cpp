// Topics that are deleted and made again while a transaction is open: Kafka commits what is left of it.
#include <outbox/kafka/transactions.hpp>
#include <outbox/support/environment.hpp>
#include <outbox/support/relays.hpp>

#include <gmock/gmock.h>

#include <csignal>

namespace outbox::relays {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class MadeAgain : public Relays {
protected:
    // A relay that stands still for seconds finds its sessions open yet: they live for a third of the lease.
    const Variables one_shard{{"RELAY_SHARDS", "1"}, {"RELAY_LEASE", "15"}};
    const std::string other = topic + ".other";
    std::vector<std::string> here, elsewhere; ///< events of one batch

    void SetUp() override {
        create_topic(topic, 3);
        create_topic(other, 1);
        for (int i = 0; i < 10; ++i) {
            here.push_back(insert({.key = "a"}));
            elsewhere.push_back(insert({.key = "a", .topic = other}));
        }
    }

    void make_again(const std::string& name, int partitions) {
        delete_topic(name);
        create_topic(name, partitions);
    }

    /// A relay that stands at this point of the batch while `meanwhile` happens.
    Process relay_that_stands(const std::string& point, const std::function<void()>& meanwhile) {
        Process relay = start_relay_with_fault(point + ":1:stop", one_shard);
        EXPECT_TRUE(wait_until([&] { return relay.stopped(); }, 90s)) << relay.errors();
        meanwhile();
        stay_quiet(200ms); // what the relay knows is old by then
        relay.signal(SIGCONT);
        return relay;
    }

    /// What a relay leaves that is killed between the commit and the mark.
    void leave_unmarked(Variables changes = {}) {
        changes.insert(one_shard.begin(), one_shard.end());
        Process doomed = start_relay_with_fault("after-commit:1", changes);
        ASSERT_EQ(doomed.wait(Deadline::in(90s)).signal, SIGKILL) << doomed.errors();
    }

    /// What `kafka-transactions.sh abort` does to the open transaction of the shard there.
    void abort_by_hand(const std::string& name) {
        const kafka::ClientOptions client{support::required_variable("KAFKA_BROKERS"), "test"};
        const kafka::Admin admin(client);
        const kafka::Transactions transactions(admin, client);
        const auto outbox = database.value("SELECT outbox_id FROM outbox_meta");
        std::vector<std::int64_t> producers;
        for (const char* lane : {"-p0-0", "-p0-1"}) {
            producers.push_back(
                transactions.describe("outbox-" + outbox + lane, Deadline::in(10s)).producer_id);
        }
        const std::vector<kafka::Partition> where{{name, kafka::Partition::every}};
        const auto open = transactions.open(where, producers, Deadline::in(10s));
        ASSERT_FALSE(open.found.empty());
        for (const auto& each : open.found) {
            transactions.write_marker(each, false, Deadline::in(10s));
        }
    }

    bool wait_all_sent(const std::vector<std::string>& ids) {
        return std::ranges::all_of(ids, [this](const auto& id) { return wait_sent(id, 60s); });
    }

    void expect_gone(const std::vector<std::string>& ids, const std::string& name, const Process& relay) {
        for (const auto& id : ids) {
            ASSERT_TRUE(wait_until([&] { return status(id) == "FAILED"; }, 60s))
                << status(id) << relay.errors();
            EXPECT_THAT(error_of(id), AllOf(HasSubstr("topic " + name + " was deleted"),
                                            HasSubstr("outbox-relay retry"), HasSubstr("outbox-relay skip")));
        }
        EXPECT_GE(relay.count(Signal("gone")), 1);
    }

    std::string error_of(const std::string& id) {
        return database.value("SELECT coalesce(error_message, '') FROM outbox_events WHERE id = $1", {id});
    }

    support::Outcome verb(const std::vector<std::string>& words) {
        support::Command command{{support::program("outbox-relay")}, environment()};
        command.words.insert(command.words.end(), words.begin(), words.end());
        return support::run(command, 60s);
    }
};

TEST_F(MadeAgain, BeforeTheCommitNothingIsLostAndOrderIsKept) {
    const Process relay = relay_that_stands("before-commit", [&] { make_again(topic, 1); });
    EXPECT_TRUE(wait_all_sent(here)) << relay.errors();
    EXPECT_TRUE(wait_all_sent(elsewhere)) << relay.errors();
    const auto messages = read_topic(topic);
    ASSERT_EQ(messages.size(), here.size());
    for (std::size_t i = 0; i < here.size(); ++i) {
        EXPECT_EQ(messages[i].headers.at("ce_id"), here[i]);
    }
    EXPECT_EQ(read_topic(other).size(), elsewhere.size());
    EXPECT_GE(relay.count(Signal("recovers").saying("topic " + topic + " was deleted")), 1) << relay.errors();
}

TEST_F(MadeAgain, WithinTheCommitWhatIsGoneIsFailedAndTheRestOfTheBatchIsSent) {
    Process relay = relay_that_stands("before-end", [&] { make_again(topic, 3); });
    expect_gone(here, topic, relay);
    EXPECT_TRUE(wait_all_sent(elsewhere)) << relay.errors();
    EXPECT_EQ(read_topic(topic).size(), 0U);
    EXPECT_EQ(read_topic(other).size(), elsewhere.size());
    EXPECT_TRUE(wait_sent(insert({.key = "b"}))) << relay.errors();
    EXPECT_THAT(verb({"failed"}).output, AllOf(HasSubstr(topic), HasSubstr("outbox-relay retry")));
    EXPECT_THAT(verb({"retry", "--id", here[0], "--force", "--reason", "test"}).errors, "");
    EXPECT_TRUE(wait_sent(here[0])) << relay.errors();
    EXPECT_EQ(read_topic(topic).size(), 2U);
}

TEST_F(MadeAgain, OneThatIsDeletedAndStaysAwayTakesItsEventsWithItInNoSilence) {
    const Process relay = relay_that_stands("before-end", [&] { delete_topic(topic); });
    expect_gone(here, topic, relay);
    EXPECT_TRUE(wait_all_sent(elsewhere)) << relay.errors();
}

TEST_F(MadeAgain, BetweenACrashAndItsRecoveryIsKnownByTheManifest) {
    leave_unmarked();
    make_again(topic, 3);
    const Process relay = ready_relay(one_shard);
    expect_gone(here, topic, relay);
    EXPECT_TRUE(wait_all_sent(elsewhere)) << relay.errors();
    EXPECT_EQ(read_topic(other).size(), elsewhere.size());
}

TEST_F(MadeAgain, BetweenACrashAndItsRecoveryWhatStandsInTheNewTopicIsSent) {
    leave_unmarked();
    make_again(topic, 3);
    for (std::size_t i = 0; i < 5; ++i) {
        produce(topic, {{"ce_id", here[i]}, {"ce_type", "user.created"}});
    }
    const Process relay = ready_relay(one_shard);
    expect_gone({here.begin() + 5, here.end()}, topic, relay);
    EXPECT_TRUE(wait_all_sent({here.begin(), here.begin() + 5})) << relay.errors();
    EXPECT_TRUE(wait_all_sent(elsewhere)) << relay.errors();
}

TEST_F(MadeAgain, ARecoveryLeavesAloneWhatStandsInTheSameTopics) {
    leave_unmarked();
    const Process relay = ready_relay(one_shard);
    EXPECT_TRUE(wait_all_sent(here)) << relay.errors();
    EXPECT_TRUE(wait_all_sent(elsewhere)) << relay.errors();
    EXPECT_EQ(read_topic(topic).size(), here.size());
    EXPECT_EQ(relay.count(Signal("recovers").saying("was deleted")), 0) << relay.errors();
    EXPECT_EQ(relay.count(Signal("gone")), 0) << relay.errors();
}

TEST_F(MadeAgain, NotTheTopicButAMarkerThatSomebodyWroteByHandIsNoticedBeforeTheCommit) {
    const Process relay = relay_that_stands("before-commit", [&] {
        abort_by_hand(topic);
        stay_quiet(1s); // shorter ones nobody meets by hand
    });
    EXPECT_TRUE(wait_all_sent(here)) << relay.errors();
    EXPECT_TRUE(wait_all_sent(elsewhere)) << relay.errors();
    EXPECT_EQ(read_topic(topic).size(), here.size());
    EXPECT_EQ(read_topic(other).size(), elsewhere.size());
    EXPECT_GE(relay.count(Signal("recovers").saying("somebody wrote a marker")), 1) << relay.errors();
}

TEST_F(MadeAgain, WhileNothingIsUnderWayCostsNoEvent) {
    const Process relay = ready_relay(one_shard);
    EXPECT_TRUE(wait_all_sent(here)) << relay.errors();
    for (int round = 0; round < 3; ++round) {
        make_again(topic, 3);
        EXPECT_TRUE(wait_sent(insert({.key = "a"}))) << relay.errors();
        EXPECT_EQ(read_topic(topic).size(), 1U);
    }
    EXPECT_EQ(count("status = 'FAILED'"), 0);
}

TEST_F(MadeAgain, ADeadLetterThatIsGoneWithItsTopicSaysSo) {
    const std::string letters = topic + ".dead";
    const Variables with_letters{{"RELAY_DEAD_LETTER_TOPIC", letters}, {"RELAY_SHARDS", "1"}};
    create_topic(letters, 1);
    database.query("DELETE FROM outbox_events");
    const auto bad = insert({.key = "b", .topic = "no topic", .max_retries = 1});
    leave_unmarked(with_letters);
    make_again(letters, 1);
    const Process relay = ready_relay(with_letters);
    expect_gone({bad}, letters, relay);
}

} // namespace
} // namespace outbox::relays
