#include "fixture.hpp"

#include <fmt/format.h>

namespace outbox::relays {
namespace {

class Pause : public Operator {
protected:
    bool wait_quiet(int wanted) {
        return wait_until(
            [&] {
                return database.number("SELECT count(*) FROM outbox_shards WHERE quiet_epoch = epoch") ==
                       wanted;
            },
            10s);
    }
    static bool knows(Process& relay, int paused_shards, int paused_topics) {
        return relay.wait_for(Signal("pauses_changed")
                                  .with("shards", std::to_string(paused_shards))
                                  .with("topics", std::to_string(paused_topics)),
                              Deadline::in(5s));
    }
    /// A key of another shard than this one's.
    std::string key_beside(const std::string& key) {
        std::string other = "x";
        while (shard_of(other) == shard_of(key)) {
            other += 'x';
        }
        return other;
    }
    std::chrono::milliseconds until_sent(const std::string& id) {
        return time_until([&] { return sent(id); }, 30s);
    }
};

TEST_F(Pause, OfAllStopsDeliveryAndResumeGoesOnAtOnce) {
    const Process relay = ready_relay({{"RELAY_POLL_INTERVAL", "60"}});
    ASSERT_TRUE(wait_sent(insert({.key = "first"}))) << relay.errors();
    EXPECT_EQ(done({"pause", "--reason", "maintenance"}), "pause: all is paused\n");
    EXPECT_EQ(done({"pause"}), "pause: all is paused already: nothing to do\n");
    ASSERT_TRUE(wait_quiet(shards)) << relay.errors();
    const auto id = insert({.key = "a"});
    expect_none_sent("aggregate_id = 'a'", 2s);
    EXPECT_EQ(done({"resume"}), "resume: all is resumed\n");
    EXPECT_LT(until_sent(id), 1s * slowness) << relay.errors();
    EXPECT_EQ(done({"resume"}), "resume: all is not paused: nothing to do\n");
    EXPECT_EQ(audit(), (Words{"pause all 1 f", "pause all 0 f", "resume all 1 f", "resume all 0 f"}));
    expect_exactly_once();
}

TEST_F(Pause, ResumeTriesAStoppedShardAgainWithoutARestart) {
    {
        Process first = ready_relay();
        ASSERT_TRUE(wait_sent(insert({.key = "a"}))) << first.errors();
        EXPECT_EQ(stop(first).exit_code, 0);
    }
    const auto shard = std::to_string(shard_of("a"));
    const auto is_stopped = [&] {
        return database.number("SELECT count(stopped) FROM outbox_shards WHERE shard = " + shard) == 1;
    };
    database.query("UPDATE outbox_shards SET marked_batch = marked_batch + 7 WHERE shard = " + shard);
    Process relay = start_relay();
    ASSERT_TRUE(wait_until(is_stopped, 60s)) << relay.errors();
    const auto id = insert({.key = "a"});
    EXPECT_EQ(done({"resume", "--shard", shard}),
              fmt::format("resume: tried again: shard {}, which was stopped\n", shard));
    EXPECT_TRUE(relay.wait_for(Signal("tried_again", shard_of("a")), Deadline::in(10s)));
    EXPECT_TRUE(wait_until(is_stopped, 60s)) << "the cause is still there" << relay.errors();
    database.query("UPDATE outbox_shards SET marked_batch = marked_batch - 7 WHERE shard = " + shard);
    expect_none_sent(fmt::format("id = '{}'", id), 2s);
    done({"resume"});
    EXPECT_TRUE(wait_sent(id)) << relay.errors();
    expect_exactly_once();
}

TEST_F(Pause, OfATopicHoldsUpNoOther) {
    Process relay = ready_relay({{"RELAY_POLL_INTERVAL", "60"}});
    const auto paused = topic + "_paused";
    ASSERT_TRUE(wait_sent(insert({.key = "a", .topic = paused}))) << relay.errors();
    EXPECT_EQ(done({"pause", "--topic", paused}), fmt::format("pause: topic {} is paused\n", paused));
    EXPECT_THAT(done({"pause", "--topic", paused}), HasSubstr("already"));
    ASSERT_TRUE(knows(relay, 0, 1)) << relay.errors();
    const auto held = insert({.key = "a", .topic = paused});
    EXPECT_TRUE(wait_sent(insert({.key = "a"}))) << relay.errors();
    expect_none_sent(fmt::format("id = '{}'", held), 2s);
    EXPECT_EQ(done({"resume", "--topic", paused}), fmt::format("resume: topic {} is resumed\n", paused));
    EXPECT_LT(until_sent(held), 1s * slowness) << relay.errors();
    EXPECT_THAT(done({"resume", "--topic", paused}), HasSubstr("nothing to do"));
    EXPECT_EQ(read_topic(paused).size(), 2U);
}

TEST_F(Pause, OfAShardHoldsUpNoOther) {
    const Process relay = ready_relay({{"RELAY_POLL_INTERVAL", "60"}});
    const auto beside = key_beside("a");
    ASSERT_TRUE(wait_sent(insert({.key = "a"}))) << relay.errors();
    const auto shard = std::to_string(shard_of("a"));
    EXPECT_EQ(done({"pause", "--shard", shard}), fmt::format("pause: shard {} is paused\n", shard));
    EXPECT_THAT(done({"pause", "--shard", shard}), HasSubstr("already"));
    ASSERT_TRUE(wait_quiet(1)) << relay.errors();
    const auto held = insert({.key = "a"});
    EXPECT_TRUE(wait_sent(insert({.key = beside}))) << relay.errors();
    expect_none_sent(fmt::format("id = '{}'", held), 2s);
    EXPECT_EQ(done({"resume"}),
              fmt::format("resume: all is not paused: nothing to do; still paused: shard {}\n", shard));
    EXPECT_EQ(done({"resume", "--shard", shard}), fmt::format("resume: shard {} is resumed\n", shard));
    EXPECT_LT(until_sent(held), 1s * slowness) << relay.errors();
    EXPECT_THAT(done({"resume", "--shard", shard}), HasSubstr("nothing to do"));
    expect_exactly_once();
}

TEST_F(Pause, LetsWhatIsInFlightFinish) {
    const Process relay = ready_relay();
    Process writer(load({"--events", "5000", "--rate", "2000"}));
    ASSERT_TRUE(wait_until([&] { return count("status = 'SENT'") > 100; }, 30s)) << relay.errors();
    done({"pause"});
    ASSERT_TRUE(wait_quiet(shards)) << relay.errors();
    EXPECT_EQ(count("status = 'PROCESSING'"), 0);
    EXPECT_EQ(writer.wait(Deadline::in(60s)).exit_code, 0);
    EXPECT_LT(count("status = 'SENT'"), 5000);
    done({"resume"});
    EXPECT_TRUE(wait_until([&] { return count("status = 'SENT'") == 5000; }, 30s)) << relay.errors();
    expect_exactly_once();
}

TEST_F(Pause, OutlivesTheRelay) {
    {
        Process first = ready_relay();
        ASSERT_TRUE(wait_sent(insert({.key = "first"}))) << first.errors();
        first.kill();
    }
    done({"pause"});
    const auto id = insert({.key = "a"});
    const Process second = ready_relay();
    ASSERT_TRUE(wait_quiet(shards)) << second.errors();
    expect_none_sent("aggregate_id = 'a'", 1s);
    done({"resume"});
    EXPECT_TRUE(wait_sent(id)) << second.errors();
    expect_exactly_once();
}

TEST_F(Pause, LeavesAnIdleRelayAsQuietAsBefore) {
    Process relay = ready_relay({{"RELAY_SHARDS", "8"}});
    const auto paused = topic + "_paused";
    ASSERT_TRUE(wait_sent(insert({.key = "first", .topic = paused}))) << relay.errors();
    done({"pause", "--topic", paused});
    done({"pause", "--shard", "1"});
    ASSERT_TRUE(wait_quiet(1)) << relay.errors();
    for (int i = 0; i < 64; ++i) {
        insert({.key = fmt::format("k{}", i), .topic = paused});
    }
    stay_quiet(5s);
    const Activity activity = watch_relays(30s); // so long that where its ends fall does not matter
    RecordProperty("statements_in_30_s", std::to_string(activity.statements));
    EXPECT_LE(activity.statements, 120) << testing::PrintToString(activity.by_text);
    EXPECT_EQ(count("status = 'SENT'"), 1);
}

TEST_F(Pause, OfAShardThatThereIsNotIsRefused) {
    EXPECT_EQ(refused({"pause", "--shard", "3"}),
              "outbox-relay: pause: there is no shard 3: this outbox has 0\n");
    {
        Process relay = ready_relay();
        EXPECT_EQ(stop(relay).exit_code, 0);
    }
    EXPECT_EQ(refused({"pause", "--shard", "4"}),
              "outbox-relay: pause: there is no shard 4: this outbox has 4\n");
    EXPECT_THAT(audit(), IsEmpty());
}

TEST_F(Pause, ResumeOfWhatThereIsNotIsRefusedAndNamesWhatIsPaused) {
    {
        Process relay = ready_relay();
        ASSERT_TRUE(wait_sent(insert({.key = "a"}))) << relay.errors();
        EXPECT_EQ(stop(relay).exit_code, 0);
    }
    const std::string before = "outbox-relay: resume: ";
    const std::string no_topic = before + "topic nosuch is not paused, no event was ever sent there and none "
                                          "waits for it: is that its name?; ";
    EXPECT_EQ(refused({"resume", "--topic", "nosuch"}), no_topic + "nothing is paused\n");
    done({"pause", "--topic", topic});
    done({"pause", "--shard", "1"});
    const std::string paused = fmt::format("paused: shard 1, topic {}\n", topic);
    EXPECT_EQ(refused({"resume", "--topic", "nosuch"}), no_topic + paused);
    EXPECT_EQ(refused({"resume", "--shard", "4"}),
              before + "there is no shard 4: this outbox has 4; " + paused);
    EXPECT_EQ(audit().size(), 2U) << "of what was refused there is no row";
    // What was paused is resumed, whether anything is known of it or not.
    done({"pause", "--topic", "nosuch"});
    EXPECT_THAT(done({"resume", "--topic", "nosuch"}), HasSubstr("topic nosuch is resumed; still paused: "));
}

} // namespace
} // namespace outbox::relays
