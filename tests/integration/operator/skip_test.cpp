#include "fixture.hpp"

#include <fmt/format.h>

#include <fstream>

namespace outbox::relays {
namespace {

class Skip : public Operator {
protected:
    Words skip(const std::string& id, const Words& more = {}) const {
        Words words{"skip", "--id", id, "--reason", "a test"};
        words.insert(words.end(), more.begin(), more.end());
        return words;
    }
    /// It was sent SIGSTOP, or sent it to itself.
    static bool stands_still(const Process& process) {
        std::ifstream stat(fmt::format("/proc/{}/stat", process.id()));
        std::string word;
        stat >> word >> word >> word;
        return word == "T";
    }
};

TEST_F(Skip, OfAWaitingEventFreesItsFollowersInOrderAtOnce) {
    const Process relay = ready_relay({{"RELAY_POLL_INTERVAL", "60"}});
    ASSERT_TRUE(wait_sent(insert({.key = "first"}))) << relay.errors(); // creates the topic
    const auto poison = insert({.key = "a", .topic = "no/such topic", .max_retries = 1000});
    ASSERT_TRUE(wait_retrying(poison)) << relay.errors();
    for (int i = 0; i < 20; ++i) {
        insert({.key = "a"});
    }
    // The longer it has waited, the longer it sleeps.
    ASSERT_TRUE(wait_until(
        [&] {
            return count("next_attempt_at > now() + interval '5 s'"
                         " AND next_attempt_at < 'infinity'") == 1;
        },
        60s));
    ASSERT_TRUE(wait_until([&] { return count("next_attempt_at = 'infinity'") == 20; }, 30s))
        << relay.errors();
    EXPECT_EQ(done(skip(poison)), "skip: 1 event is SKIPPED\n");
    EXPECT_LT(time_until([&] { return count("status = 'SENT'") == 21; }, 30s), 2s * slowness)
        << relay.errors();
    EXPECT_THAT(done(skip(poison)), HasSubstr("is SKIPPED: nothing to do"));
    EXPECT_THAT(database.value("SELECT error_message FROM outbox_events WHERE id = $1", {poison}),
                testing::StartsWith("skipped: a test ("));
    EXPECT_EQ(audit(), (Words{"skip --id=" + poison + " 1 f", "skip --id=" + poison + " 0 f"}));
    EXPECT_TRUE(
        wait_until([&] { return database.number("SELECT count(*) FROM outbox_blocked_keys") == 0; }, 10s));
    expect_exactly_once();
}

TEST_F(Skip, OfAFailedEventIsAlwaysPossible) {
    const Process relay = ready_relay();
    const auto id = insert({.key = "a", .topic = "no/such topic", .max_retries = 1});
    ASSERT_TRUE(wait_status(id, "FAILED")) << relay.errors();
    EXPECT_EQ(done({"skip", "--event-type", "user.created", "--reason", "gone"}),
              "skip: 1 event is SKIPPED\n");
    EXPECT_EQ(status(id), "SKIPPED");
    EXPECT_EQ(done({"skip", "--event-type", "user.created", "--reason", "gone"}),
              "skip: no event that --event-type=user.created chooses is FAILED or unsent: nothing to do; "
              "`outbox-relay failed` lists what is FAILED\n");
    expect_exactly_once();
}

TEST_F(Skip, OfAnEventAtTheBrokerIsRefusedUnlessForced) {
    for (const char* tracked : {"on", "off"}) {
        auto variables =
            environment({{"OUTBOX_FAULT", "before-commit:1:stop"}, {"RELAY_TRACK_PROCESSING", tracked}});
        Process hung({{support::program("outbox-relay-faults")}, variables});
        const auto id = insert({.key = "a"});
        ASSERT_TRUE(wait_until([&] { return stands_still(hung); }, 30s)) << hung.errors();
        EXPECT_THAT(refused(skip(id)),
                    HasSubstr(fmt::format("1 event is left, and may be at the broker now; pause shard {}",
                                          shard_of("a"))));
        EXPECT_EQ(status(id), std::string(tracked) == "on" ? "PROCESSING" : "NEW");
        EXPECT_EQ(done(skip(id, {"--force"})), "skip: 1 event is SKIPPED\n");
        EXPECT_EQ(status(id), "SKIPPED");
    }
}

TEST_F(Skip, OfANewEventNeedsItsShardPausedAndQuiet) {
    const Process relay = ready_relay({{"RELAY_TRACK_PROCESSING", "off"}});
    ASSERT_TRUE(wait_sent(insert({.key = "a"}))) << relay.errors();
    const auto shard = std::to_string(shard_of("a"));
    done({"pause", "--shard", shard});
    ASSERT_TRUE(wait_until(
        [&] { return database.number("SELECT count(*) FROM outbox_shards WHERE quiet_epoch = epoch") == 1; },
        10s))
        << relay.errors();
    const auto unwanted = insert({.key = "a"});
    const auto wanted = insert({.key = "a"});
    EXPECT_EQ(done(skip(unwanted)), "skip: 1 event is SKIPPED\n");
    done({"resume", "--shard", shard});
    EXPECT_TRUE(wait_sent(wanted, 3s)) << relay.errors();
    EXPECT_EQ(status(unwanted), "SKIPPED");
    EXPECT_EQ(read_topic(topic).size(), 2U);
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_shards WHERE quiet_epoch = epoch"), 0);
    expect_exactly_once();
}

TEST_F(Skip, OfANewEventIsRefusedWhileNobodyKnowsWhoHasIt) {
    {
        Process relay = ready_relay();
        EXPECT_EQ(stop(relay).exit_code, 0);
    }
    const auto id = insert({.key = "a"});
    EXPECT_THAT(refused(skip(id)), HasSubstr("--force"));
    EXPECT_EQ(status(id), "NEW");
}

TEST_F(Skip, OfASentEventIsRefusedForGood) {
    const Process relay = ready_relay();
    const auto id = insert({.key = "a"});
    ASSERT_TRUE(wait_sent(id)) << relay.errors();
    EXPECT_THAT(refused(skip(id, {"--force"})), HasSubstr("is SENT: nothing takes it back"));
    EXPECT_TRUE(sent(id));
}

} // namespace
} // namespace outbox::relays
