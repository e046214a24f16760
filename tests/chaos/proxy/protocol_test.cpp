// What the proxy reads out of the bytes that pass.

#include "frames.hpp"
#include "protocol.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace outbox::chaos {
namespace {

using namespace std::string_literals;

constexpr int correlation = 7;
std::string request(int api, int version, const std::string& body) {
    return request_frame(api, version, correlation, body);
}
std::string answer(const std::string& body) {
    return framed(int32(correlation) + body);
}

Frame read(std::string bytes) {
    auto frame = kafka_protocol({})->next_request(bytes);
    EXPECT_TRUE(frame && bytes.empty());
    return frame.value_or(Frame{});
}

std::string kind_and_text(const std::string& bytes) {
    const Frame frame = read(bytes);
    return frame.request.kind + ": " + frame.request.text;
}

TEST(KafkaProtocol, NamesWhatATransactionIsAbout) {
    EXPECT_EQ(kind_and_text(request(26, 1, text("tx") + producer + "\1")), "EndTxn: tx commit");
    EXPECT_EQ(kind_and_text(request(26, 1, text("tx") + producer + "\0"s)), "EndTxn: tx abort");
    EXPECT_EQ(kind_and_text(request(
                  24, 0, text("tx") + producer + int32(1) + text("t") + int32(2) + int32(0) + int32(5))),
              "AddPartitionsToTxn: tx t[0] t[5]");
    EXPECT_EQ(kind_and_text(request(0, 7,
                                    text("tx") + int16(-1) + int32(100) + int32(1) + text("t") + int32(1) +
                                        int32(3) + framed("records"))),
              "Produce: tx t[3]");
    EXPECT_EQ(kind_and_text(request(22, 4, "\0\3tx"s + int32(100))), "InitProducerId: tx")
        << "compact strings";
    EXPECT_EQ(kind_and_text(request(10, 2, text("tx") + "\1")), "FindCoordinator: tx");
    EXPECT_EQ(read(request(26, 1, text("tx") + producer + "\1")).request.client, "me");
}

TEST(KafkaProtocol, ExpectsNoAnswerToAProduceWithoutAcknowledgement) {
    EXPECT_FALSE(read(request(0, 7, int16(-1) + int16(0) + int32(1) + int32(0))).request.answered);
}

TEST(KafkaProtocol, WaitsForTheWholeFrame) {
    const auto protocol = kafka_protocol({});
    const auto whole = request(26, 1, text("tx") + producer + "\1");
    std::string buffer;
    for (const char byte : whole) {
        EXPECT_FALSE(protocol->next_request(buffer));
        buffer += byte;
    }
    const auto next = "\0\0"s;
    buffer += next;
    EXPECT_EQ(protocol->next_request(buffer)->bytes, whole);
    EXPECT_EQ(buffer, next);
}

TEST(KafkaProtocol, TurnsACommitIntoAnAbort) {
    auto bytes = request(26, 1, text("tx") + producer + "\1");
    flip_end_txn(bytes);
    EXPECT_EQ(kind_and_text(bytes), "EndTxn: tx abort");
}

TEST(KafkaProtocol, ReplacesEveryErrorCodeOfAnAnswer) {
    const auto partition = [](int error) { return int32(0) + int16(error) + std::string(24, '\0'); };
    const auto produced = [&](int first, int second) {
        return answer(int32(1) + text("t") + int32(2) + partition(first) + partition(second) + int32(0));
    };
    const auto asked = read(request(0, 7, int16(-1) + int16(-1) + int32(1) + int32(0))).request;
    auto buffer = produced(0, 19);
    auto found = kafka_protocol({})->next_answer(buffer, asked);
    EXPECT_EQ(found->error(), 19);
    found->replace_error(120);
    EXPECT_EQ(found->bytes, produced(120, 120));

    auto ended = answer(int32(0) + int16(47));
    EXPECT_EQ(kafka_protocol({})
                  ->next_answer(ended, read(request(26, 1, text("tx") + producer + "\1")).request)
                  ->error(),
              47);
}

TEST(KafkaProtocol, NamesTheProxiesInsteadOfTheBrokers) {
    const Ports ports{{9092, 1001}, {9093, 1002}};
    const auto flexible = [](int first, int second) {
        const auto broker = [](int id, int port) { return int32(id) + "\2h"s + int32(port) + "\0\0"s; };
        return answer("\0"s + int32(0) + "\3"s + broker(1, first) + broker(2, second) + "rest");
    };
    auto metadata = flexible(9092, 9093);
    EXPECT_EQ(kafka_protocol(ports)->next_answer(metadata, read(request(3, 9, "\0\0\0\0"s)).request)->bytes,
              flexible(1001, 1002));
    const auto coordinator = [](int port) {
        return answer(int32(0) + int16(0) + int16(-1) + int32(1) + text("h") + int32(port));
    };
    auto found = coordinator(9093);
    EXPECT_EQ(
        kafka_protocol(ports)->next_answer(found, read(request(10, 2, text("tx") + "\1")).request)->bytes,
        coordinator(1002));
}

TEST(KafkaProtocol, RefusesWhatItCannotReadOrPair) {
    auto newer = request(0, 99, "\0"s);
    EXPECT_THROW(kafka_protocol({})->next_request(newer), std::runtime_error);
    auto short_one = request(26, 1, text("tx"));
    EXPECT_THROW(kafka_protocol({})->next_request(short_one), std::out_of_range);
    auto other = framed(int32(correlation + 1) + int32(0) + int16(0));
    const auto asked = read(request(26, 1, text("tx") + producer + "\1")).request;
    EXPECT_THROW(kafka_protocol({})->next_answer(other, asked), std::runtime_error);
}

// ---- PostgreSQL

std::string message(char type, const std::string& content) {
    return type + int32(static_cast<int>(content.size()) + 4) + content;
}
std::string query(const std::string& sql) {
    return message('Q', sql + '\0');
}
std::string startup(int code, const std::string& content) {
    return int32(static_cast<int>(content.size()) + 8) + int32(code) + content;
}

class PostgresProtocol : public testing::Test {
protected:
    std::unique_ptr<Protocol> protocol = postgres_protocol();

    Request ask(std::string bytes) {
        auto frame = protocol->next_request(bytes);
        EXPECT_TRUE(frame && bytes.empty());
        return frame.value_or(Frame{}).request;
    }
    void SetUp() override { ask(startup(196608, "user\0me\0application_name\0relay\0\0"s)); }
};

TEST_F(PostgresProtocol, TellsTheStatementsOfATransactionAtItsCommit) {
    ask(query("BEGIN; SELECT 1"));
    ask(message('P', "mark\0UPDATE t\0\0\0"s) + message('S', ""));
    ask(message('B', "\0mark\0\0\0"s) + message('D', "P\0"s) + message('E', "\0\0\0\0\0"s) +
        message('S', ""));
    const auto commit = ask(query("COMMIT"));
    EXPECT_EQ(commit.kind, "COMMIT");
    EXPECT_EQ(commit.text, "BEGIN; SELECT 1\nmark\nmark\nCOMMIT");
    EXPECT_EQ(commit.client, "relay");
    EXPECT_EQ(ask(query("COMMIT")).text, "COMMIT") << "a transaction ends with it";
}

TEST_F(PostgresProtocol, TellsTheStatementsThatTravelTogether) {
    const auto bound = [](const std::string& name) {
        return message('B', '\0' + name + "\0\0\0"s) + message('D', "P\0"s) + message('E', "\0\0\0\0\0"s);
    };
    ask(message('P', "begin\0BEGIN\0\0\0"s) + message('S', ""));
    ask(message('P', "mark\0UPDATE t\0\0\0"s) + message('S', ""));
    ask(message('P', "commit\0COMMIT\0\0\0"s) + message('S', ""));
    EXPECT_EQ(ask(bound("begin") + bound("mark") + message('S', "")).kind, "UPDATE");
    std::string half = bound("mark");
    EXPECT_FALSE(protocol->next_request(half)) << "the server has nothing to answer yet";
    const auto commit = ask(half + bound("commit") + message('S', ""));
    EXPECT_EQ(commit.kind, "COMMIT");
    EXPECT_EQ(commit.text, "begin\nmark\nmark\ncommit");
}

TEST_F(PostgresProtocol, KnowsAPreparedStatementByItsFirstWord) {
    EXPECT_EQ(ask(message('P', "mark\0update t\0\0\0"s) + message('S', "")).kind, "PARSE");
    EXPECT_EQ(ask(message('B', "\0mark\0"s) + message('E', "\0"s) + message('S', "")).kind, "UPDATE");
}

TEST_F(PostgresProtocol, WaitsForTheMessageThatAsksForAnAnswer) {
    std::string buffer = message('B', "\0mark\0"s) + message('E', "\0"s);
    EXPECT_FALSE(protocol->next_request(buffer));
    buffer += message('S', "");
    EXPECT_TRUE(protocol->next_request(buffer));
    EXPECT_FALSE(ask(message('X', "")).answered);
}

TEST_F(PostgresProtocol, AnAnswerEndsWhenTheServerIsReady) {
    auto buffer = message('C', "COMMIT\0"s) + message('Z', "I") + message('N', "");
    const Request asked;
    EXPECT_FALSE(protocol->next_answer(buffer, asked)->last);
    EXPECT_TRUE(protocol->next_answer(buffer, asked)->last);
    EXPECT_EQ(buffer, message('N', ""));
}

TEST(PostgresStart, IsWithoutEncryption) {
    const auto protocol = postgres_protocol();
    auto bytes = startup(80877103, "");
    const auto frame = protocol->next_request(bytes);
    EXPECT_EQ(frame->request.kind, "SSLRequest");
    auto refused = "N"s;
    EXPECT_EQ(protocol->next_answer(refused, frame->request)->bytes, "N");
    auto accepted = "S"s;
    EXPECT_THROW(protocol->next_answer(accepted, frame->request), std::runtime_error);
}

} // namespace
} // namespace outbox::chaos
