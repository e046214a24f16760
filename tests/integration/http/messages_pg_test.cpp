#include "fixture.hpp"

#include <fmt/format.h>

#include <filesystem>

namespace outbox {
namespace {

/// HTTP itself: what arrives malformed, oversized, in pieces or all at once.
class HttpMessages : public HttpTest {
protected:
    /// What the server says to these bytes; `finish` says that no more will come.
    Reply say(std::string_view bytes, bool finish = false) const {
        Client client(server.port());
        client.send(bytes);
        if (finish) {
            client.finish_sending();
        }
        Reply reply = client.read();
        EXPECT_TRUE(reply.status == 0 || client.closed_by_server(Deadline::in(std::chrono::seconds(5))));
        return reply;
    }
    std::string of_size(std::size_t bytes) const {
        const std::string frame = user_json("big@example.com", "");
        return user_json("big@example.com", std::string(bytes - frame.size(), 'x'));
    }
};

constexpr std::size_t mebibyte = 1'048'576;

TEST_F(HttpMessages, AnErrorIsAProblemDocument) {
    const Reply reply = ask("GET", "/nothing");
    EXPECT_EQ(reply.status, 404);
    EXPECT_EQ(reply.headers.at("content-type"), "application/problem+json");
    EXPECT_EQ(reply.json().at("status"), 404);
    EXPECT_EQ(reply.json().at("title"), "Not Found");
    EXPECT_EQ(reply.json().at("type"), "urn:problem-type:outbox:not-found");
    EXPECT_TRUE(reply.json().contains("detail"));
}

TEST_F(HttpMessages, AWrongMethodIs405WithAllow) {
    const Reply reply = ask("DELETE", "/users/018f3c2e-8a5b-7c1d-9e2f-3a4b5c6d7e8f");
    EXPECT_EQ(reply.status, 405);
    EXPECT_EQ(reply.headers.at("allow"), "GET, HEAD, OPTIONS, PUT");
    EXPECT_EQ(ask("GET", "/users").headers.at("allow"), "OPTIONS, POST");
    EXPECT_EQ(ask("POST", "/health", "{}").headers.at("allow"), "GET, HEAD, OPTIONS");
}

TEST_F(HttpMessages, AMethodThatNobodyKnowsIs501) {
    for (const char* method : {"FOO", "get", "GETS", "PRI", "X-1"}) {
        EXPECT_EQ(say(request_text(method, "/livez")).status, 501) << method;
    }
    EXPECT_EQ(ask("PROPFIND", "/livez").status, 405);
}

TEST_F(HttpMessages, AWholeUrlIsTakenForItsPath) {
    EXPECT_EQ(ask("GET", "http://example.com:81/livez?x=http://y/z").status, 200);
    EXPECT_EQ(ask("GET", "http://example.com").status, 404);
    const std::string path = add_user("ada@example.com");
    EXPECT_EQ(ask("GET", "HTTP://x" + path).status, 200);
    EXPECT_EQ(ask("GET", "/users/http://x" + path).status, 404) << "only at the beginning";
}

TEST_F(HttpMessages, ABodyThatIsNotJsonIs400) {
    for (const char* body :
         {"{", "{\"email\":\"a@b\",\"name\":\"x\"", "name=x", "{\"email\":\"a@b\",\"name\":\"\xff\"}",
          "{\"email\":\"a@b\",\"name\":\"Zo\xeb\"}"}) {
        EXPECT_EQ(ask("POST", "/users", body).status, 400) << body;
    }
    EXPECT_EQ(
        ask("POST", "/users", "", {{"Content-Type", "application/json"}, {"Content-Length", "0"}}).status,
        400);
    EXPECT_EQ(ask("POST", "/users", std::string(500'000, '[')).status, 400);
}

TEST_F(HttpMessages, AnotherMediaTypeIs415) {
    EXPECT_EQ(ask("POST", "/users", user_json("a@b"), {{"Content-Type", "text/plain"}}).status, 415);
    EXPECT_EQ(ask("POST", "/users", user_json("a@b"), {{"Content-Encoding", "gzip"}}).status, 415);
    EXPECT_EQ(
        ask("PUT", add_user("c@d"), "x=1", {{"Content-Type", "application/x-www-form-urlencoded"}}).status,
        415);
}

TEST_F(HttpMessages, ABodyOverOneMebibyteIs413) {
    EXPECT_EQ(ask("POST", "/users", of_size(mebibyte)).status, 422)
        << "exactly 1 MiB is read; the name is too long";
    EXPECT_EQ(say(request_text("POST", "/users", of_size(mebibyte + 1))).status, 413);
    EXPECT_EQ(say(request_text("POST", "/users", of_size(8 * mebibyte))).status, 413) << "sent to the end";
    EXPECT_EQ(say("POST /users HTTP/1.1\r\nHost: x\r\nContent-Length: 1099511627776\r\n\r\n").status, 413);
}

TEST_F(HttpMessages, AChunkedBodyHasTheSameLimit) {
    const auto chunked = [](std::size_t size, const std::string& piece) {
        std::string text = request_text(
            "POST", "/users", "", {{"Transfer-Encoding", "chunked"}, {"Content-Type", "application/json"}});
        const std::string chunk = fmt::format("{:x}\r\n{}\r\n", piece.size(), piece);
        for (std::size_t i = 0; i < size; i += piece.size()) {
            text += chunk;
        }
        return text + "0\r\n\r\n";
    };
    EXPECT_EQ(ask("POST", "/users", "e\r\n{\"email\":\"c@d\"\r\n9\r\n,\"name\":\"\r\n3\r\nc\"}\r\n0\r\n\r\n",
                  {{"Transfer-Encoding", "chunked"}})
                  .status,
              201);
    EXPECT_EQ(say(chunked(2 * mebibyte, std::string(65'536, 'x'))).status, 413);
    EXPECT_EQ(Client(server.port()).send(chunked(mebibyte / 2, "x")), true) << "one byte a chunk";
}

TEST_F(HttpMessages, WhatIsNotHttpIs400) {
    for (const char* bytes :
         {"garbage\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/x.y\r\n\r\n", "\x16\x03\x01\x02\x00\x01",
          "GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", "GET /livez HTTP/1.1\r\n\r\n",
          "GET /livez HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
          "GET /livez HTTP/1.1\r\nHost: x\r\nX : y\r\n\r\n",
          "POST /users HTTP/1.1\r\nHost: x\r\nContent-Length : 0\r\n\r\n",
          "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"}) {
        Reply reply = say(bytes);
        EXPECT_EQ(reply.status, 400) << bytes;
        EXPECT_EQ(reply.headers["content-type"], "application/problem+json");
    }
}

TEST_F(HttpMessages, HeadersThatAreTooLargeAreRefused) {
    EXPECT_EQ(say(request_text("GET", "/" + std::string(20'000, 'a'))).status, 414);
    EXPECT_EQ(say(request_text("GET", "/livez", "", {{"X", std::string(20'000, 'a')}})).status, 431);
    Fields many;
    for (int i = 0; i < 200; ++i) {
        many["X-" + std::to_string(i)] = "1";
    }
    EXPECT_EQ(say(request_text("GET", "/livez", "", many)).status, 431);
}

TEST_F(HttpMessages, ATruncatedRequestIs400AndWritesNothing) {
    const std::string whole = request_text("POST", "/users", user_json("cut@example.com"));
    for (const std::size_t length : {10UL, 60UL, whole.size() - 30, whole.size() - 1}) {
        EXPECT_EQ(say(whole.substr(0, length), true).status, 400) << length;
    }
    EXPECT_EQ(database.number("SELECT count(*) FROM users"), 0);
}

TEST_F(HttpMessages, ClientsThatVanishLeaveNothingBehind) {
    const auto open_files = [&] {
        return std::distance(
            std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", server.process().id())),
            std::filesystem::directory_iterator());
    };
    ask("POST", "/users", user_json("first@example.com")); // its connection to the database stays
    const auto before = open_files();
    const std::string whole = request_text("POST", "/users", user_json("gone@example.com"));
    for (std::size_t length = 0; length < whole.size(); ++length) {
        Client(server.port()).send(std::string_view(whole).substr(0, length));
    }
    EXPECT_TRUE(wait_until([&] { return open_files() <= before + 8; })) << before << " -> " << open_files();
    EXPECT_EQ(ask("GET", "/livez").status, 200);
}

TEST_F(HttpMessages, AConnectionIsKeptAndServesOneRequestAfterAnother) {
    Client client(server.port());
    for (int i = 0; i < 50; ++i) {
        EXPECT_EQ(client.ask("POST", "/users", user_json(fmt::format("{}@example.com", i))).status, 201);
        EXPECT_EQ(client.ask("GET", "/livez").status, 200);
    }
    EXPECT_EQ(client.ask("GET", "/livez", "", {{"Connection", "close"}}).headers.at("connection"), "close");
    EXPECT_TRUE(client.closed_by_server(Deadline::in(std::chrono::seconds(5))));
}

TEST_F(HttpMessages, PipelinedRequestsAreAnsweredInOrder) {
    std::string all;
    for (int i = 0; i < 20; ++i) {
        all += request_text("POST", "/users", user_json(fmt::format("{}@example.com", i)));
        all += request_text("GET", "/livez");
        all += request_text("GET", "/users/x");
    }
    Client client(server.port());
    client.send(all);
    for (int i = 0; i < 20; ++i) {
        const Reply added = client.read();
        EXPECT_EQ(added.status, 201);
        EXPECT_EQ(added.json().at("email"), fmt::format("{}@example.com", i));
        EXPECT_EQ(client.read().status, 200);
        EXPECT_EQ(client.read().status, 404);
    }
}

TEST_F(HttpMessages, ARequestMayComeOneByteAtATime) {
    Client client(server.port());
    for (const char byte : request_text("POST", "/users", user_json("slow@example.com"))) {
        client.send({&byte, 1});
    }
    EXPECT_EQ(client.read().status, 201);
}

TEST_F(HttpMessages, AClientThatWaitsToBeAskedForItsBodyIsAsked) {
    Client client(server.port());
    const std::string body = user_json("polite@example.com");
    client.send(request_text("POST", "/users", "",
                             {{"Expect", "100-continue"},
                              {"Content-Type", "application/json"},
                              {"Content-Length", std::to_string(body.size())}}));
    EXPECT_EQ(client.read().status, 100);
    client.send(body);
    EXPECT_EQ(client.read().status, 201);
    Client shouting(server.port());
    shouting.send(request_text("POST", "/users", "", {{"Expect", "100-Continue"}, {"Content-Length", "5"}}));
    EXPECT_EQ(shouting.read().status, 100) << "in any case";
    Client large(server.port());
    large.send(
        request_text("POST", "/users", "", {{"Expect", "100-continue"}, {"Content-Length", "9000000"}}));
    EXPECT_EQ(large.read().status, 413);
}

TEST_F(HttpMessages, AnOfferToUpgradeIsDeclined) {
    Client client(server.port());
    EXPECT_EQ(client.ask("GET", "/livez", "", {{"Connection", "Upgrade"}, {"Upgrade", "h2c"}}).status, 200);
    EXPECT_EQ(client.ask("GET", "/livez").status, 200) << "and HTTP/1.1 goes on";
}

TEST_F(HttpMessages, WhatTheServerDoesNotActOnHasItsStatus) {
    EXPECT_EQ(say("POST /users HTTP/1.1\r\nHost: x\r\n\r\n").status, 411);
    EXPECT_EQ(say("GET /livez HTTP/2.0\r\nHost: x\r\n\r\n").status, 505);
    EXPECT_EQ(
        say("POST /users HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n").status,
        501);
    EXPECT_EQ(say(request_text("POST", "/users", "{}", {{"Expect", "a-miracle"}})).status, 417);
    EXPECT_EQ(say("GET /livez HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n").status, 400);
}

TEST_F(HttpMessages, ARefusalAfterHeadHasItsBody) {
    Client client(server.port());
    EXPECT_EQ(client.ask("HEAD", "/livez").status, 200);
    client.send("garbage\r\n\r\n");
    const Reply reply = client.read();
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(reply.json().at("status"), 400);
}

TEST_F(HttpMessages, EveryAnswerHasItsDate) {
    EXPECT_EQ(ask("GET", "/livez").headers.at("date").size(), 29U);
    EXPECT_EQ(ask("GET", "/nothing").headers.at("date").size(), 29U);
    EXPECT_EQ(say("garbage\r\n\r\n").headers.at("date").size(), 29U);
}

TEST_F(HttpMessages, OptionsSaysWhatIsAllowed) {
    Client client(server.port());
    const Reply users = client.ask("OPTIONS", "/users");
    EXPECT_EQ(users.status, 204);
    EXPECT_EQ(users.headers.at("allow"), "OPTIONS, POST");
    EXPECT_EQ(client.ask("OPTIONS", "*").status, 204);
    EXPECT_EQ(client.ask("OPTIONS", "/nothing").status, 404);
}

TEST_F(HttpMessages, HttpOneZeroIsKeptOnlyWhereItIsAskedFor) {
    EXPECT_EQ(say("GET /livez HTTP/1.0\r\n\r\n").status, 200) << "and closed";
    Client client(server.port());
    client.send("GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_EQ(client.read().headers.at("connection"), "keep-alive");
    EXPECT_EQ(client.ask("GET", "/livez").status, 200);
}

TEST_F(HttpMessages, BlanksAroundAValueAreNoneOfIt) {
    EXPECT_EQ(ask("POST", "/users", user_json("a@b"), {{"Idempotency-Key", " \t k-1\t "}}).status, 201);
    const Reply again = ask("POST", "/users", user_json("a@b"), {{"Idempotency-Key", "k-1"}});
    EXPECT_EQ(again.status, 201) << "the same key";
    EXPECT_EQ(database.number("SELECT count(*) FROM users"), 1);
}

TEST_F(HttpMessages, AHalfClosedConnectionGetsItsAnswers) {
    Client client(server.port());
    client.send(request_text("POST", "/users", user_json("half@example.com")) +
                request_text("GET", "/livez"));
    client.finish_sending();
    EXPECT_EQ(client.read().status, 201);
    EXPECT_EQ(client.read().status, 200);
    EXPECT_TRUE(client.closed_by_server(Deadline::in(std::chrono::seconds(5))));
}

} // namespace
} // namespace outbox
