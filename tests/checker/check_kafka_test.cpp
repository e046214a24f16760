// outbox-check against the real servers: it must cry out on each way in which a relay can be wrong.
#include "playground.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <optional>
#include <thread>

namespace checker::playground {
namespace {

using testing::HasSubstr;

constexpr auto clean = "lost=0 repeated=0 misordered=0 phantom=0 wrong=0";

class Checker : public testing::Test {
protected:
    void SetUp() override {
        try {
            database_.emplace();
            topic_.emplace();
        } catch (const std::exception& error) {
            FAIL() << error.what();
        }
        database_->run("BEGIN");
        for (int n = 0; n < 30; ++n) {
            messages_.push_back({.id = fmt::format("00000000-0000-7000-8000-{:012x}", n),
                                 .key = fmt::format("key-{}", n % 7),
                                 .value = fmt::format(R"({{"n": {}, "name": "Zoë"}})", n)});
            insert(messages_.back());
        }
        database_->run("COMMIT");
    }

    void insert(const Message& message) {
        database_->run(fmt::format("INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type,"
                                   " event_data, topic) VALUES ('{}', 'test', '{}', 'made', '{}', '{}')",
                                   message.id, message.key, message.value, topic_->name()));
    }

    /// In one committed transaction.
    void send(std::vector<Message>& messages) {
        topic_->begin();
        topic_->produce(messages);
        topic_->commit();
    }

    void mark(const Message& message) {
        database_->run(fmt::format("UPDATE outbox_events SET status = 'SENT', processed_at = now(),"
                                   " kafka_partition = {}, kafka_offset = {} WHERE id = '{}'",
                                   message.delivered_partition, message.delivered_offset, message.id));
    }

    void mark_all() {
        database_->run("BEGIN");
        for (const auto& message : messages_) {
            mark(message);
        }
        database_->run("COMMIT");
    }

    void send_and_mark_all() {
        send(messages_);
        mark_all();
    }

    static Outcome check(const std::string& flags = "") {
        return run(fmt::format("{}/outbox-check {}", OUTBOX_BIN_DIR, flags));
    }

    static void expect(const Outcome& outcome, int status, const std::string& text) {
        EXPECT_EQ(outcome.status, status) << outcome.out;
        EXPECT_THAT(outcome.out, HasSubstr(text));
    }

    std::optional<OwnDatabase> database_;
    std::optional<OwnTopic> topic_;
    std::vector<Message> messages_;
};

TEST_F(Checker, EventsThatAreThereOnceAndInOrderPass) {
    send_and_mark_all();
    expect(check(), 0, fmt::format("events=30 sent=30 {}", clean));
}

TEST_F(Checker, ALostEventFails) {
    const auto lost = messages_[11];
    messages_.erase(messages_.begin() + 11);
    send_and_mark_all();
    database_->run("UPDATE outbox_events SET status = 'SENT', processed_at = now() WHERE id = '" + lost.id +
                   "'");
    expect(check(), 1, "lost=1 repeated=0 misordered=0 phantom=0 wrong=0");
}

TEST_F(Checker, ARepeatedEventFails) {
    send_and_mark_all();
    std::vector<Message> again{messages_[3], messages_[20]};
    send(again);
    expect(check(), 1, "lost=0 repeated=2 misordered=0 phantom=0 wrong=0");
}

TEST_F(Checker, TwoEventsOfOneKeyThatAreSwappedFail) {
    std::swap(messages_[8], messages_[15]); // both of key-1
    send_and_mark_all();
    expect(check(), 1, "lost=0 repeated=0 misordered=1 phantom=0 wrong=0");
    expect(check("--order-by n"), 1, "misordered=1");
}

TEST_F(Checker, AnEventOfATransactionThatWasRolledBackFails) {
    send_and_mark_all();
    std::vector<Message> phantom{
        {.id = "00000000-0000-7000-8000-ffffffffffff", .key = "key-1", .value = "{}"}};
    send(phantom);
    expect(check(), 1, "lost=0 repeated=0 misordered=0 phantom=1 wrong=0");
}

TEST_F(Checker, RecordsOfAnAbortedTransactionDoNotCount) {
    auto aborted = messages_;
    topic_->begin();
    topic_->produce(aborted);
    topic_->abort();
    send_and_mark_all();
    expect(check(), 0, clean);
    topic_->begin(); // the last offsets of the partitions are then ones that nobody sees
    topic_->produce(aborted);
    topic_->abort();
    expect(check("--kafka-deadline 10"), 0, clean);
}

TEST_F(Checker, AnAbortedEventThatTheTableCallsSentIsLost) {
    topic_->begin();
    topic_->produce(messages_);
    topic_->abort();
    mark_all();
    expect(check("--kafka-deadline 10"), 1, "lost=30 ");
}

TEST_F(Checker, ATransactionLeftOpenIsNotTakenForTheEnd) {
    send_and_mark_all();
    std::vector<Message> open{messages_[0]};
    topic_->begin();
    topic_->produce(open);
    expect(check("--kafka-deadline 2"), 1, "is a transaction still open there?");
    topic_->abort();
    expect(check("--kafka-deadline 10"), 0, clean);
}

TEST_F(Checker, APlaceThatTheRowDoesNotTellTrulyFails) {
    send_and_mark_all();
    database_->run("UPDATE outbox_events SET kafka_offset = kafka_offset + 1 WHERE id = '" + messages_[2].id +
                   "'");
    expect(check(), 1, "lost=0 repeated=0 misordered=0 phantom=0 wrong=1");
}

TEST_F(Checker, APartitionThatTheJavaClientWouldNotChooseFails) {
    for (auto& message : messages_) {
        message.partition = 0;
    }
    send_and_mark_all();
    const auto outcome = check();
    EXPECT_EQ(outcome.status, 1);
    EXPECT_THAT(outcome.out, HasSubstr("the Java client would choose partition"));
    expect(check("--partitioner off"), 0, clean);
}

TEST_F(Checker, ValuesAreComparedAsJson) {
    messages_[4].value = "{\"name\":\"Zo\\u00eb\",\"n\":4.0}";
    messages_[5].value = "  " + messages_[5].value;
    send_and_mark_all();
    expect(check(), 0, clean);
}

TEST_F(Checker, AnotherValueFailsAlsoWhenItIsNoJson) {
    messages_[4].value = R"({"n": 5, "name": "Zoë"})";
    messages_[5].value = "not JSON";
    messages_[6].value = messages_[6].value + std::string(1, '\0') + "tail";
    messages_[7].value = "";
    messages_[8].value = "{\"name\":\"Zo\\u00eb\",\"n\":8}"; // equal
    send_and_mark_all();
    expect(check(), 1, "lost=0 repeated=0 misordered=0 phantom=0 wrong=4");
}

TEST_F(Checker, AnotherKeyFails) {
    messages_[4].key = "key-of-nobody";
    send_and_mark_all();
    expect(check("--partitioner off"), 1, "wrong=1");
}

TEST_F(Checker, UnsentRowsFailUnlessTheyAreExpected) {
    auto first = std::vector(messages_.begin(), messages_.begin() + 20);
    send(first);
    for (const auto& message : first) {
        mark(message);
    }
    expect(check("--wait 0.3"), 1, "unsettled: 10 NEW and 0 PROCESSING row(s)");
    expect(check("--final"), 0, fmt::format("events=30 sent=20 {} unsent=10", clean));
    expect(check("--moving"), 0, clean);
    auto rest = std::vector(messages_.begin() + 20, messages_.end());
    send(rest); // and not marked
    expect(check("--moving"), 0, clean);
    expect(check("--final"), 1, "wrong=10");
}

TEST_F(Checker, WaitingEndsAsSoonAsAllIsSent) {
    send(messages_);
    std::jthread later([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(500));
        mark_all();
    });
    const auto start = std::chrono::steady_clock::now();
    expect(check("--wait 60"), 0, clean);
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

TEST_F(Checker, FailedRowsFailUnlessTheyAreAllowed) {
    database_->run("UPDATE outbox_events SET status = 'FAILED' WHERE id = '" + messages_.back().id + "'");
    messages_.pop_back();
    send_and_mark_all();
    expect(check(), 1, "wrong=1");
    expect(check("--allow-failed"), 0, fmt::format("events=30 sent=29 {}", clean));
}

TEST_F(Checker, AnAcknowledgedCommitThatTheTableLacksIsLost) {
    send_and_mark_all();
    const auto file = testing::TempDir() + fresh_name("ids");
    std::ofstream(file) << messages_[0].id << "\n00000000-0000-7000-8000-ffffffffffff\n";
    expect(check("--expected-ids " + file), 1, "lost=1 ");
    std::ofstream(file) << messages_[0].id << '\n';
    expect(check("--expected-ids " + file), 0, clean);
    std::remove(file.c_str());
}

TEST_F(Checker, TheTableShowsWhereKafkaHasEachEvent) {
    send_and_mark_all();
    const auto outcome = check("--table");
    EXPECT_EQ(outcome.status, 0) << outcome.out;
    for (const auto& message : messages_) {
        EXPECT_THAT(outcome.out, HasSubstr(message.id));
        EXPECT_THAT(outcome.out,
                    HasSubstr(fmt::format("{}/{}/{}", topic_->name(), message.delivered_partition,
                                          message.delivered_offset)));
    }
    expect(check("--json"), 0, R"({"passed":true,"events":30,"sent":30,)");
}

TEST_F(Checker, TopicsThatAreNamedAreReadAlone) {
    send_and_mark_all();
    database_->run(
        "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic, status)"
        " VALUES (gen_random_uuid(), 't', 'k', 'made', '{}', 'no.such.topic', 'SENT')");
    expect(check("--topics " + topic_->name()), 0, fmt::format("events=30 sent=30 {}", clean));
    expect(check(), 1, "lost=1 ");
}

TEST_F(Checker, ServersThatDoNotAnswerFailWithinTheDeadline) {
    send_and_mark_all();
    expect(check("--kafka-brokers 127.0.0.1:1 --kafka-deadline 2"), 1, "cannot ask Kafka for its topics");
    expect(check("--db-port 1"), 1, "cannot connect to PostgreSQL");
}

TEST_F(Checker, BadUsageIsStatusTwo) {
    EXPECT_EQ(check("--no-such-flag").status, 2);
    EXPECT_EQ(check("--partitioner crc").status, 2);
    EXPECT_EQ(check("--help").status, 0);
}

} // namespace
} // namespace checker::playground
