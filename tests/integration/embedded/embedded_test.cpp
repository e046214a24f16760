// A relay inside this process: its hook, a publisher and a partition strategy of its own.
#include "forgetful_lane.hpp"

#include <outbox/core/error.hpp>
#include <outbox/relay/relay.hpp>
#include <outbox/support/relays.hpp>

#include <gmock/gmock.h>

#include <atomic>
#include <mutex>
#include <set>
#include <stdexcept>

namespace outbox::relays {
namespace {

using messages::OutgoingEvent;
using relay::Options;
using relay::Relay;
using testing::Contains;
using testing::HasSubstr;
using testing::Pair;

/// A relay takes as long to get ready as the machine is busy.
constexpr auto patience = 150s;

class EmbeddedRelay : public Relays {
protected:
    [[nodiscard]] Options options(const Variables& changes = {}) const {
        Options options;
        options.settings = environment({{"RELAY_SHARDS", "1"}});
        for (const auto& [name, value] : changes) {
            options.settings[name] = value;
        }
        options.environment = false;
        options.log = [](log::Level, std::string_view) {};
        return options;
    }

    [[nodiscard]] Options with_hook(messages::BeforePublish hook, const Variables& changes = {}) const {
        Options result = options(changes);
        result.on_before_publish = std::move(hook);
        return result;
    }

    bool wait_status(const std::string& id, const std::string& wanted) {
        return wait_until([&] { return status(id) == wanted; }, patience);
    }

    std::string error_of(const std::string& id) {
        return database.value("SELECT coalesce(error_message, '') FROM outbox_events WHERE id = $1", {id});
    }
};

TEST_F(EmbeddedRelay, TheHookAddsAHeaderAfterTheOthers) {
    Relay relay(with_hook([](OutgoingEvent& event) {
        event.add_header("region", "eu");
        event.add_header("bytes", std::string_view("\0\xFF", 2));
    }));
    EXPECT_FALSE(relay.running());
    relay.start();
    EXPECT_TRUE(relay.running());
    ASSERT_TRUE(wait_sent(insert({"k"}), patience));
    EXPECT_EQ(relay.drain(), 0U);
    EXPECT_FALSE(relay.running());
    const auto messages = read_topic(topic);
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_THAT(messages[0].headers, Contains(Pair("region", "eu")));
    EXPECT_THAT(messages[0].headers, Contains(Pair("bytes", std::string("\0\xFF", 2))));
    EXPECT_THAT(messages[0].headers, Contains(testing::Key("ce_id")));
}

TEST_F(EmbeddedRelay, TheHookMapsTopicKeyAndDataAndTheRowStaysAsItWas) {
    const std::string other = topic + ".other";
    Relay relay(with_hook(
        [&](OutgoingEvent& event) {
            event.set_topic(other);
            event.set_key("for " + std::string(event.key()));
            event.set_data(R"({"was":)" + std::string(event.data()) + "}");
        },
        {{"RELAY_TOPIC_TEMPLATE", "${topic}"}}));
    relay.start();
    const std::string id = insert({"k", R"({"a": 1})"});
    ASSERT_TRUE(wait_sent(id, patience));
    const auto messages = read_topic(other);
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_EQ(messages[0].key, "for k");
    EXPECT_EQ(messages[0].value, R"({"was":{"a": 1}})");
    EXPECT_EQ(database.value("SELECT event_data ->> 'a' FROM outbox_events WHERE id = $1 AND topic = $2",
                             {id, topic}),
              "1");
    relay.drain();
    delete_topic(other);
}

TEST_F(EmbeddedRelay, ASkippedEventBecomesSkippedWithItsReasonAndTheKeyGoesOn) {
    Relay relay(with_hook([](OutgoingEvent& event) {
        if (event.data().find("secret") != std::string_view::npos) {
            event.skip("not for \"others\" \xFF");
        }
    }));
    const std::string before = insert({"k"});
    const std::string skipped = insert({"k", R"({"secret": true})"});
    const std::string after = insert({"k"});
    relay.start();
    ASSERT_TRUE(wait_sent(before, patience) && wait_sent(after, patience));
    EXPECT_TRUE(wait_status(skipped, "SKIPPED"));
    EXPECT_EQ(error_of(skipped), "not for \"others\" \uFFFD");
    EXPECT_EQ(read_topic(topic).size(), 2U);
    EXPECT_EQ(count("kafka_offset IS NOT NULL AND status = 'SKIPPED'"), 0);
    relay.drain();
    expect_exactly_once();
}

TEST_F(EmbeddedRelay, AHookThatThrowsFailsThatEventAloneAndItsFollowersWait) {
    std::atomic<bool> mended{false};
    Relay relay(with_hook([&](OutgoingEvent& event) {
        if (event.data().find("bad") != std::string_view::npos && !mended) {
            throw std::runtime_error("no\0 such region");
        }
    }));
    const std::string bad = insert({"k", R"({"bad": 1})"});
    const std::string follower = insert({"k"});
    const std::string other = insert({"another"});
    relay.start();
    ASSERT_TRUE(wait_sent(other, patience));
    ASSERT_TRUE(wait_until([&] { return !error_of(bad).empty(); }, patience));
    EXPECT_EQ(error_of(bad), "on_before_publish threw: no");
    EXPECT_EQ(status(follower), "NEW");
    mended = true;
    EXPECT_TRUE(wait_sent(follower, patience));
    EXPECT_TRUE(sent(bad));
    relay.drain();
    expect_exactly_once();
}

TEST_F(EmbeddedRelay, AnEventWhoseHookKeepsThrowingBecomesFailed) {
    const std::string dead = topic + ".dead";
    Relay relay(with_hook(
        [](OutgoingEvent& event) {
            if (event.key() == "bad") {
                event.skip(""); // refused: no reason
            } else if (event.key() == "worse") {
                throw 5;
            }
        },
        {{"RELAY_DEAD_LETTER_TOPIC", dead}}));
    const std::string bad = insert({"bad", "{}", {}, 1});
    const std::string worse = insert({"worse", "{}", {}, 1});
    const std::string other = insert({"another"});
    relay.start();
    EXPECT_TRUE(wait_status(bad, "FAILED"));
    EXPECT_TRUE(wait_status(worse, "FAILED"));
    EXPECT_TRUE(wait_sent(other, patience));
    EXPECT_EQ(error_of(bad), "on_before_publish threw: an event is skipped for a reason");
    EXPECT_EQ(error_of(worse), "on_before_publish threw: something that is no std::exception");
    relay.drain();
    const auto letters = read_topic(dead);
    ASSERT_EQ(letters.size(), 2U);
    EXPECT_EQ(letters[0].headers.at("__connect.errors.stage"), "TRANSFORMATION");
    delete_topic(dead);
}

TEST_F(EmbeddedRelay, APartitionStrategyOfItsOwnIsAsked) {
    create_topic(topic, 3);
    Options options = this->options();
    options.partition_strategy =
        partition::from_choice([](const partition::Routing&, std::int32_t) { return 2; });
    Relay relay(std::move(options));
    relay.start();
    ASSERT_TRUE(wait_sent(insert({"a"}), patience) && wait_sent(insert({"b"}), patience));
    for (const Message& message : read_topic(topic)) {
        EXPECT_EQ(message.partition, 2);
    }
}

TEST_F(EmbeddedRelay, APublisherOfItsOwnThatLosesAnswersStillDeliversEachEventOnce) {
    std::atomic<int> sent{0};
    std::mutex mutex;
    std::set<std::string> lanes;
    Options options = this->options(
        {{"RELAY_TRANSACTION_EVENTS", "20"}, {"RELAY_BATCH_SIZE", "20"}, {"RELAY_SHARDS", "2"}});
    options.make_lane = [&](const kafka::LaneOptions& lane) {
        const std::lock_guard lock(mutex);
        lanes.insert(lane.transactional_id);
        return std::make_unique<ForgetfulLane>(lane, sent, [](int number) { return number % 3 == 0; });
    };
    Relay relay(std::move(options));
    relay.start();
    ASSERT_EQ(support::run(load({"--events", "400", "--keys", "20", "--writers", "2"}), patience).exit_code,
              0);
    expect_exactly_once();
    EXPECT_GT(sent, 5);
    EXPECT_EQ(lanes.size(), 2U) << "whatever the number of shards";
    relay.drain();
}

TEST_F(EmbeddedRelay, TwoInOneProcessShareTheShards) {
    std::atomic<int> seen{0};
    const Variables two{{"RELAY_SHARDS", "2"}};
    Relay first(with_hook([&](OutgoingEvent&) { ++seen; }, two));
    first.start();
    ASSERT_TRUE(wait_sent(insert({"a"}), patience));
    Relay second(with_hook([&](OutgoingEvent&) { ++seen; }, two));
    second.start();
    EXPECT_TRUE(wait_until(
        [&] {
            return database.number(
                       "SELECT count(DISTINCT owner) FROM outbox_shards WHERE owner IS NOT NULL") == 2;
        },
        patience));
    EXPECT_EQ(first.drain(), 0U);
    ASSERT_EQ(support::run(load({"--events", "200", "--keys", "20"}), patience).exit_code, 0);
    expect_exactly_once();
    EXPECT_GE(seen, 201);
}

TEST_F(EmbeddedRelay, WhatOnlyAnOperatorCanMendEndsItAndDrainSaysWhat) {
    {
        Relay relay(options());
        relay.start();
        ASSERT_TRUE(wait_sent(insert({"a"}), patience));
        relay.drain();
    }
    database.query("UPDATE outbox_meta SET cluster_id = 'another'");
    Options options = this->options();
    std::string lines; // one line at a time, and read once all threads have ended
    options.log = [&](log::Level, std::string_view line) { lines += std::string(line) + '\n'; };
    Relay relay(std::move(options));
    relay.start();
    ASSERT_TRUE(wait_until([&] { return !relay.running(); }, patience));
    EXPECT_THROW(relay.drain(), Error);
    EXPECT_THAT(lines, HasSubstr("relay ends reason="));
}

TEST_F(EmbeddedRelay, SettingsAreCheckedByTheirNames) {
    const auto refusal = [this](const Variables& changes) -> std::string {
        try {
            Relay relay(options(changes));
        } catch (const UsageError& error) {
            return error.what();
        }
        return {};
    };
    EXPECT_EQ(refusal({{"RELAY_SHARD", "1"}}), "RELAY_SHARD is not a setting of a relay");
    EXPECT_THAT(refusal({{"RELAY_SHARDS", "0"}}), HasSubstr("RELAY_SHARDS=0 is not allowed"));
    EXPECT_THAT(refusal({{"KAFKA_PRODUCER_ACKS", "1"}}), HasSubstr("KAFKA_PRODUCER_ACKS=1 is refused"));
    Relay relay(options({{"KAFKA_PRODUCER_LINGER_MS", "1"}}));
    relay.start();
    EXPECT_THROW(relay.start(), std::logic_error);
}

} // namespace
} // namespace outbox::relays
