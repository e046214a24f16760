// The form, topic and partition of what is replayed.
#include "fixture.hpp"

#include <cstdio>
#include <fstream>
#include <set>

namespace outbox::relays {
namespace {

using testing::Not;

/// A file for --config that goes with the test.
class Config {
public:
    Config(const std::string& name, const std::string& content) : path_(testing::TempDir() + name + ".toml") {
        std::ofstream(path_) << content;
    }
    Config(const Config&) = delete;
    Config& operator=(const Config&) = delete;
    ~Config() { std::remove(path_.c_str()); }

    [[nodiscard]] const std::string& path() const { return path_; }

private:
    std::string path_;
};

class BackfillMessages : public Backfill {
protected:
    /// The relay sends everything that is NEW, and ends.
    void deliver(const Words& words) {
        support::Command command{{support::program("outbox-relay")}, environment()};
        command.words.insert(command.words.end(), words.begin(), words.end());
        Process relay(command);
        EXPECT_TRUE(wait_until([&] { return count("status <> 'SENT'") == 0; }, 90s)) << relay.errors();
        stop(relay);
    }
    std::set<std::int32_t> partitions() const {
        std::set<std::int32_t> found;
        for (const Message& message : read_topic(replays)) {
            found.insert(message.partition);
        }
        return found;
    }
};

TEST_F(BackfillMessages, AreThoseOfTheRelayWhenNothingElseIsAskedFor) {
    const Config config(database.name(), R"(
[relay]
topic_template = "${topic}-replay"
format = "debezium"
debezium_event_type = true
partition_strategy = "round-robin"
[partition_strategies]
"order.created" = "field:/n"
)");
    fill(20, "user", "NEW");
    fill(20, "order", "NEW");
    deliver({"--config", config.path()});
    const auto outcome = backfill({"--config", config.path(), "--yes"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_THAT(outcome.errors, HasSubstr("order per key is not kept by the partition strategy"));

    std::map<std::string, Message> sent;
    std::size_t replayed = 0;
    for (Message& message : read_topic(replays)) { // of one partition in order, the relay's first
        const bool again = message.headers.erase("outbox-replay-id") == 1;
        message.headers.erase("outbox-original-id");
        const auto id = message.headers.at("id");
        if (!again) {
            sent[id] = message;
            continue;
        }
        ++replayed;
        const Message& original = sent[id];
        EXPECT_EQ(message.partition, original.partition);
        EXPECT_EQ(message.key, original.key);
        EXPECT_EQ(message.value, original.value);
        EXPECT_EQ(message.headers, original.headers);
    }
    EXPECT_EQ(sent.size(), 40U);
    EXPECT_EQ(replayed, 40U);
}

TEST_F(BackfillMessages, GoWhereTheRelaySentThemOnlyWithYes) {
    fill(10, "user", "NEW");
    const Words mapped{"--relay-topic-template", "${topic}-replay"};
    deliver(mapped);
    EXPECT_THAT(failed({"--topic", replays, mapped[0], mapped[1]}, 2),
                HasSubstr("10 of the events come from topic " + replays));
    EXPECT_THAT(failed({"--topic", replays}, 2), HasSubstr("the relay has sent events to topic " + replays))
        << "the template may have been another one";
    EXPECT_EQ(read_topic(replays).size(), 10U);
    done({"--topic", replays, "--yes"});
    EXPECT_EQ(read_topic(replays).size(), 20U);
}

TEST_F(BackfillMessages, HaveTheFormatThatIsAskedFor) {
    fill(1);
    database.query("UPDATE outbox_events SET partition_key = 'other'");
    const auto id = database.value("SELECT id FROM outbox_events");
    done({"--topic", replays, "--format", "debezium", "--run", "router"});
    const auto messages = read_topic(replays);
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_EQ(messages[0].key, "user-1");
    EXPECT_EQ(messages[0].value, R"({"n": 1})");
    EXPECT_EQ(messages[0].headers,
              (Variables{{"id", id}, {"outbox-original-id", id}, {"outbox-replay-id", "router"}}));
}

TEST_F(BackfillMessages, FollowTheStrategyThatIsAskedFor) {
    fill(40);
    database.query(R"(UPDATE outbox_events SET event_data = '{"user": "same"}')");
    const auto by_field = backfill({"--topic", replays, "--partition-strategy", "field:/user"});
    EXPECT_EQ(by_field.exit_code, 0) << by_field.errors;
    EXPECT_THAT(by_field.errors, HasSubstr("order per key is not kept by the partition strategy"));
    EXPECT_EQ(read_topic(replays).size(), 40U);
    EXPECT_EQ(partitions().size(), 1U) << "40 keys lie in more partitions";
    database.query("UPDATE outbox_events SET partition_key = 'same'");
    const auto by_key = backfill({"--topic", replays});
    EXPECT_EQ(by_key.exit_code, 0) << by_key.errors;
    EXPECT_THAT(by_key.errors, Not(HasSubstr("order per key")));
    EXPECT_EQ(partitions().size(), 1U) << "a field is hashed as a key of the same text";
}

TEST_F(BackfillMessages, OfDifferentTopicsGoToTheirOwn) {
    fill(10);
    database.query("UPDATE outbox_events SET topic = $1 WHERE seq > 6", {replays});
    EXPECT_THAT(done({"--yes"}), HasSubstr("10 events published"));
    EXPECT_EQ(read_topic(topic).size(), 6U);
    expect_once("seq > 6");
}

} // namespace
} // namespace outbox::relays
