#include "cost.hpp"
#include "request_reader.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace outbox::http {
namespace {

using Progress = RequestReader::Progress;

constexpr std::size_t mebibyte = 1'048'576;

/// Feeds bytes as a connection does: what was not taken is shown again, with more behind it.
class Feeder {
public:
    explicit Feeder(RequestLimits limits = {}, std::size_t bodies = 64 * mebibyte)
        : budget(std::make_shared<BodyBudget>(bodies)),
          reader(limits, budget) {}

    /// @return false as soon as the request is complete or refused.
    bool feed(std::string_view piece) {
        pending_ += piece;
        for (bool head_ended = true; head_ended;) {
            const Progress before = reader.progress();
            const std::size_t taken = reader.take(pending_);
            pending_.erase(0, taken);
            head_ended = before != Progress::body && reader.progress() == Progress::body;
        }
        return reader.progress() != Progress::complete && reader.progress() != Progress::refused;
    }
    /// In pieces of so many bytes.
    void feed_all(std::string_view text, std::size_t piece) {
        while (!text.empty() && feed(text.substr(0, piece))) {
            text.remove_prefix(std::min(piece, text.size()));
        }
    }
    [[nodiscard]] int refusal() const {
        return reader.progress() == Progress::refused ? reader.problem().type.status : 0;
    }

    std::shared_ptr<BodyBudget> budget;
    RequestReader reader;

private:
    std::string pending_;
};

std::string post(const std::string& fields, const std::string& body) {
    return "POST /users HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n" + body;
}

std::string post_of(std::size_t bytes) {
    return post(fmt::format("Content-Length: {}\r\n", bytes), std::string(bytes, 'x'));
}

std::string chunked(std::size_t bytes, std::size_t chunk, const std::string& extension = "") {
    std::string body;
    const std::string one = fmt::format("{:x}{}\r\n{}\r\n", chunk, extension, std::string(chunk, 'x'));
    for (std::size_t i = 0; i < bytes; i += chunk) {
        body += one;
    }
    return post("Transfer-Encoding: chunked\r\n", body + "0\r\n\r\n");
}

int refusal_of(std::string_view text, RequestLimits limits = {}) {
    Feeder feeder(limits);
    feeder.feed(text);
    return feeder.refusal();
}

TEST(RequestReader, TheSameRequestComesOutOfPiecesOfEverySize) {
    const std::string text = post("Content-Length: 5\r\nX-A:\t value with spaces \t\r\n", "h\nllo");
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        Feeder feeder;
        feeder.feed_all(text, piece);
        ASSERT_EQ(feeder.reader.progress(), Progress::complete) << piece;
        const Request request = feeder.reader.take_request();
        EXPECT_EQ(request.method, "POST");
        EXPECT_EQ(request.path, "/users");
        EXPECT_EQ(request.headers.find("x-a"), "value with spaces") << "blanks around a value are none of it";
        EXPECT_EQ(request.body, "h\nllo");
    }
}

TEST(RequestReader, WhatFollowsARequestIsLeftForTheNext) {
    const std::string first = post("Content-Length: 2\r\n", "ab");
    RequestReader reader({}, std::make_shared<BodyBudget>(mebibyte));
    const std::string both = first + "GET / HTTP/1.1\r\n";
    std::size_t taken = reader.take(both);
    taken += reader.take(std::string_view(both).substr(taken));
    EXPECT_EQ(reader.progress(), Progress::complete);
    EXPECT_EQ(taken, first.size());
}

TEST(RequestReader, ChunksAreJoinedAndTrailersAndExtensionsDropped) {
    Feeder feeder;
    feeder.feed_all(post("Transfer-Encoding: chunked\r\n",
                         "3;a=b\r\nabc\r\n2;c=\"d\"\r\nde\r\n0\r\nHost: evil\r\nX-Late: 1\r\n\r\n"),
                    1);
    ASSERT_EQ(feeder.reader.progress(), Progress::complete);
    const Request request = feeder.reader.take_request();
    EXPECT_EQ(request.body, "abcde");
    EXPECT_EQ(request.headers.count("X-Late"), 0U);
    EXPECT_EQ(request.headers.find("Host"), "x");
}

TEST(RequestReader, ChunksThatAreNotWellFormedAre400) {
    for (const std::string body : {"x\r\n", "-1\r\n", "3\r\nabcd\r\n", "3\r\nabc0\r\n\r\n", "3\nabc\n0\n\n",
                                   "g\r\n", "11111111111111111\r\n", " 3\r\nabc\r\n", "3 \r\nabc\r\n",
                                   "0x3\r\nabc\r\n", "3;\r\nabc\r\n", "0\r\nContent-Length: 5\r\n\r\n",
                                   "0\r\nTransfer-Encoding: chunked\r\n\r\n", "0\r\nno field\r\n\r\n"}) {
        const std::string more = "\r\n\r\n\r\n"; // what is wrong may show only then
        EXPECT_EQ(refusal_of(post("Transfer-Encoding: chunked\r\n", body + more)), 400) << body;
    }
    EXPECT_EQ(refusal_of(post("Transfer-Encoding: chunked\r\n", "1;" + std::string(20'000, 'a'))), 400);
    EXPECT_EQ(refusal_of(post("Transfer-Encoding: chunked\r\n", "0\r\nA: " + std::string(20'000, 'a'))), 400);
}

TEST(RequestReader, FieldsThatOthersWouldReadDifferentlyAre400) {
    for (const char* fields :
         {"X : y\r\n", "Content-Length : 0\r\n", ": y\r\n", "X\r\n", "X Y: z\r\n", "X: y\r\n z\r\n",
          "X: y\nZ: z\r\n", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
          "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", "Host: y\r\n",
          "Content-Length: 1\r\nContent-Length: 1\r\n", "Content-Length: 1, 1\r\n"}) {
        EXPECT_EQ(refusal_of(post(fields, "")), 400) << fields;
    }
}

TEST(RequestReader, EmptyLinesBeforeARequestMeanNothing) {
    Feeder feeder;
    feeder.feed_all("\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 1);
    EXPECT_EQ(feeder.reader.progress(), Progress::complete);
    Feeder empty;
    empty.feed("\r\n\r\n\r");
    EXPECT_EQ(empty.reader.progress(), Progress::nothing);
}

TEST(RequestReader, WhatCannotBeHttpIsRefusedAtItsFirstByte) {
    EXPECT_EQ(refusal_of("\x16\x03\x01"), 400);
    EXPECT_EQ(refusal_of("{"), 400);
    EXPECT_EQ(refusal_of("GET / HTTP/1.1\nHost: x\n\n"), 400) << "it would wait for an end that never comes";
    EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\nHost: x\n"), 400);
    EXPECT_EQ(refusal_of("GET / HTTP/3.0\r\n"), 505) << "before the header has ended";
}

TEST(RequestReader, EveryPartHasItsLimitAndItsStatus) {
    const auto get = [](const std::string& target, const std::string& fields) {
        return "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n";
    };
    EXPECT_EQ(refusal_of(get("/" + std::string(8'000, 'a'), "")), 0);
    EXPECT_EQ(refusal_of(get("/" + std::string(8'200, 'a'), "")), 414);
    EXPECT_EQ(refusal_of("GET /" + std::string(9'000, 'a')), 414) << "before its end";
    EXPECT_EQ(refusal_of(get("/", "X: " + std::string(16'000, 'a') + "\r\n")), 0);
    EXPECT_EQ(refusal_of(get("/", "X: " + std::string(16'384, 'a') + "\r\n")), 431);
    std::string many;
    for (int i = 0; i < 101; ++i) {
        many += fmt::format("X-{}: 1\r\n", i);
    }
    EXPECT_EQ(refusal_of(get("/", many)), 431);
    EXPECT_EQ(refusal_of(post_of(1'000), {.header = 1'024, .body = 1'000}), 0);
    EXPECT_EQ(refusal_of(post_of(1'001), {.header = 1'024, .body = 1'000}), 413);
    EXPECT_EQ(refusal_of(chunked(1'000, 100), {.header = 1'024, .body = 1'000}), 0);
    EXPECT_EQ(refusal_of(chunked(1'100, 100), {.header = 1'024, .body = 1'000}), 413);
}

TEST(RequestReader, BodiesShareTheirMemoryAndSmallOnesNeedNone) {
    auto budget = std::make_shared<BodyBudget>(mebibyte);
    const auto read = [&budget](RequestReader& reader, std::size_t bytes) {
        const std::string text = post_of(bytes);
        const std::size_t head = reader.take(text);
        reader.take(std::string_view(text).substr(head));
        return reader.progress();
    };
    RequestReader first({}, budget);
    EXPECT_EQ(read(first, 1'000'000), Progress::complete);
    EXPECT_GE(budget->used(), 990'000U);
    RequestReader second({}, budget);
    EXPECT_EQ(read(second, 1'000'000), Progress::refused);
    EXPECT_EQ(second.problem().type.status, 503);
    RequestReader small({}, budget);
    EXPECT_EQ(read(small, 8'000), Progress::complete) << "large bodies do not keep small ones out";
    {
        const Request request = first.take_request();
        const BodyShare share = first.take_share();
        EXPECT_GE(budget->used(), 990'000U) << "as long as the request lives";
    }
    EXPECT_EQ(budget->used(), 0U);
}

TEST(RequestReader, ABodyIsPaidForAsItComesNotAsItIsAnnounced) {
    Feeder feeder;
    feeder.feed("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n{");
    EXPECT_EQ(feeder.reader.progress(), Progress::body);
    EXPECT_EQ(feeder.budget->used(), 0U);
}

using MakeText = std::string (*)(std::size_t);

/// How many times as much eight times the bytes cost, when they come in such pieces.
double growth_of_reading(MakeText text_of, std::size_t bytes, std::size_t piece) {
    const std::string small = text_of(bytes);
    const std::string large = text_of(8 * bytes);
    return growth_of_cost(
        [&](std::size_t wanted) {
            Feeder feeder({.header = 16 * mebibyte, .body = 16 * mebibyte});
            feeder.feed_all(wanted == bytes ? small : large, piece);
            EXPECT_EQ(feeder.reader.progress(), Progress::complete);
        },
        bytes);
}

TEST(RequestReader, TheCostOfARequestIsLinearWhateverItIsMadeOf) {
    const auto chunks = [](std::size_t bytes) { return chunked(bytes, 1); };
    const auto long_target = [](std::size_t bytes) {
        return "GET /" + std::string(bytes, 'a') + " HTTP/1.1\r\nHost: x\r\n\r\n";
    };
    const auto long_value = [](std::size_t bytes) {
        return "GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(bytes, 'a') + "\r\n\r\n";
    };
    constexpr double at_most = 24; // linear is 8, quadratic 64
    EXPECT_LT(growth_of_reading(post_of, std::size_t{64} * 1024, 16), at_most);
    EXPECT_LT(growth_of_reading(chunks, std::size_t{32} * 1024, 16'384), at_most);
    EXPECT_LT(growth_of_reading(chunks, std::size_t{8} * 1024, 1), at_most);
    EXPECT_LT(growth_of_reading(long_target, std::size_t{64} * 1024, 64), at_most);
    EXPECT_LT(growth_of_reading(long_value, std::size_t{64} * 1024, 64), at_most);
}

} // namespace
} // namespace outbox::http
