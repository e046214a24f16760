#include "framing.hpp"

#include <gtest/gtest.h>

namespace outbox::http {
namespace {

constexpr std::size_t max_body = 1'000;

using Fields = std::vector<Headers::Field>;

Head head_of(const std::string& method, const std::string& target, const Fields& fields, int version = 11) {
    Head head{method, target, version, {}};
    for (const auto& [name, value] : fields) {
        head.headers.add(name, value);
    }
    return head;
}

/// The status of a refusal; 0 when the request is acted on.
int refusal(const Head& head) {
    const auto framed = frame(head, max_body);
    const auto* problem = std::get_if<Problem>(&framed);
    return problem == nullptr ? 0 : problem->type.status;
}

int refusal_of_post(Fields fields, int version = 11) {
    fields.emplace_back("Host", "x");
    return refusal(head_of("POST", "/", fields, version));
}

Framing accepted(const std::string& method, const std::string& target, Fields fields, int version = 11) {
    fields.emplace_back("Host", "x");
    return std::get<Framing>(frame(head_of(method, target, fields, version), max_body));
}

TEST(Framing, ALengthIsOnePlainNumber) {
    EXPECT_EQ(refusal_of_post({{"Content-Length", "0"}}), 0);
    EXPECT_EQ(refusal_of_post({{"Content-Length", "1000"}}), 0);
    for (const char* length : {"", "+5", "-5", "0x5", "5, 5", "5,", "5 5", "five", "5.0", "1e3"}) {
        EXPECT_EQ(refusal_of_post({{"Content-Length", length}}), 400) << length;
    }
    EXPECT_EQ(refusal_of_post({{"Content-Length", "5"}, {"content-length", "5"}}), 400);
    EXPECT_EQ(refusal_of_post({{"Content-Length", "5"}, {"Content-Length", "6"}}), 400);
}

TEST(Framing, ALengthBeyondTheLimitIs413) {
    EXPECT_EQ(refusal_of_post({{"Content-Length", "1001"}}), 413);
    EXPECT_EQ(refusal_of_post({{"Content-Length", "18446744073709551615"}}), 413);
    EXPECT_EQ(refusal_of_post({{"Content-Length", "99999999999999999999999999"}}), 413);
}

TEST(Framing, OneChunkedIsTheOnlyTransferCoding) {
    EXPECT_EQ(refusal_of_post({{"Transfer-Encoding", "chunked"}}), 0);
    EXPECT_EQ(refusal_of_post({{"transfer-encoding", "CHUNKED"}}), 0);
    for (const char* coding : {"gzip, chunked", "x-other,chunked"}) {
        EXPECT_EQ(refusal_of_post({{"Transfer-Encoding", coding}}), 501) << coding;
    }
    for (const char* coding : {"", "identity", "gzip", "chunked, gzip", "chunked, chunked", "chunked,",
                               "xchunked", "chunked;q=1", "\"chunked\""}) {
        EXPECT_EQ(refusal_of_post({{"Transfer-Encoding", coding}}), 400) << coding;
    }
    EXPECT_EQ(refusal_of_post({{"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}}), 400);
    EXPECT_EQ(refusal_of_post({{"Transfer-Encoding", "chunked"}}, 10), 400) << "HTTP/1.0 has none";
}

TEST(Framing, ALengthBesideATransferCodingIsRefused) {
    EXPECT_EQ(refusal_of_post({{"Content-Length", "5"}, {"Transfer-Encoding", "chunked"}}), 400);
    EXPECT_EQ(refusal_of_post({{"Transfer-Encoding", "gzip, chunked"}, {"Content-Length", "5"}}), 400);
}

TEST(Framing, MethodsThatBringABodyNeedItsLength) {
    for (const char* method : {"POST", "PUT", "PATCH"}) {
        EXPECT_EQ(refusal(head_of(method, "/", {{"Host", "x"}})), 411) << method;
    }
    for (const char* method : {"GET", "HEAD", "DELETE", "OPTIONS"}) {
        EXPECT_EQ(refusal(head_of(method, "/", {{"Host", "x"}})), 0) << method;
    }
}

TEST(Framing, ThereIsOneHostAndItIsAHost) {
    for (const char* host :
         {"x", "example.com", "example.com:81", "127.0.0.1", "[::1]", "[::1]:81", "a_b", "x:"}) {
        EXPECT_EQ(refusal(head_of("GET", "/", {{"Host", host}})), 0) << host;
    }
    for (const char* host : {"", "x y", "x,y", "x/y", "user@x", "x:80x", ":80", "[::1", "[]", "[x y]", "x\\y",
                             "x\"", "zo\xc3\xab"}) {
        EXPECT_EQ(refusal(head_of("GET", "/", {{"Host", host}})), 400) << host;
    }
    EXPECT_EQ(refusal(head_of("GET", "/", {})), 400);
    EXPECT_EQ(refusal(head_of("GET", "/", {{"Host", "x"}, {"host", "x"}})), 400);
    EXPECT_EQ(refusal(head_of("GET", "/", {}, 10)), 0) << "HTTP/1.0 has none";
}

TEST(Framing, ATargetIsAPathOrAUrlOfHttp) {
    EXPECT_EQ(accepted("GET", "/a/b?c=/d?e", {}).path, "/a/b");
    EXPECT_EQ(accepted("GET", "http://example.com:81/livez?x=http://y/z", {}).path, "/livez");
    EXPECT_EQ(accepted("GET", "HTTPS://x", {}).path, "/");
    EXPECT_EQ(accepted("GET", "http://x?a", {}).path, "/");
    EXPECT_EQ(accepted("OPTIONS", "*", {}).path, "*");
    for (const char* target :
         {"*", "a", "x:80", "ftp://x/y", "http:/x", "http:///x", "http://u@x/", "://x/"}) {
        EXPECT_EQ(refusal(head_of("GET", target, {{"Host", "x"}})), 400) << target;
    }
}

TEST(Framing, AnExpectationIsMetOrRefused) {
    const Headers::Field length{"Content-Length", "5"};
    for (const char* text : {"100-continue", "100-Continue"}) {
        EXPECT_TRUE(accepted("POST", "/", {length, {"expect", text}}).expects_continue) << text;
    }
    for (const char* text : {"", "200-ok", "100-continue, 100-continue", "100-continue;q=1"}) {
        EXPECT_EQ(refusal_of_post({length, {"Expect", text}}), 417) << text;
    }
    EXPECT_FALSE(
        accepted("POST", "/", {{"Content-Length", "0"}, {"Expect", "100-continue"}}).expects_continue);
    EXPECT_FALSE(accepted("POST", "/", {length, {"Expect", "100-continue"}}, 10).expects_continue);
    EXPECT_EQ(refusal_of_post({length, {"Expect", "other"}}, 10), 0) << "ignored, as the RFC asks";
}

TEST(Framing, TheConnectionIsKeptAsTheVersionSays) {
    EXPECT_TRUE(accepted("GET", "/", {}).keep_alive);
    EXPECT_FALSE(accepted("GET", "/", {{"Connection", "Close"}}).keep_alive);
    EXPECT_FALSE(accepted("GET", "/", {{"Connection", "upgrade,\tclose"}}).keep_alive);
    EXPECT_TRUE(accepted("GET", "/", {{"Connection", "x-close"}}).keep_alive);
    EXPECT_FALSE(accepted("GET", "/", {}, 10).keep_alive);
    EXPECT_TRUE(accepted("GET", "/", {{"Connection", "Keep-Alive"}}, 10).keep_alive);
}

TEST(Framing, ControlCharactersInAValueAreRefused) {
    for (const char* value : {"a\x01", "\x1f", "a\x7f"}) {
        EXPECT_EQ(refusal(head_of("GET", "/", {{"Host", "x"}, {"X", value}})), 400);
    }
    EXPECT_EQ(refusal(head_of("GET", "/", {{"Host", "x"}, {"X", "a\tb zo\xc3\xab"}})), 0);
}

int status_of_line(std::string_view line) {
    const auto problem = start_line_problem(line, 100);
    return problem ? problem->type.status : 0;
}

TEST(StartLine, IsMethodTargetVersion) {
    EXPECT_EQ(status_of_line("GET / HTTP/1.1"), 0);
    EXPECT_EQ(status_of_line("POST http://x/y?z HTTP/1.0"), 0);
    for (const char* line :
         {"", "GET", "GET /", "GET / ", "GET  HTTP/1.1", " GET / HTTP/1.1", "GET / HTTP/x.y", "GET / HTTP/11",
          "GET / http/1.1", "GET / HTTP/1.1 ", "GET /a b HTTP/1.1", "GET\t/ HTTP/1.1", "G(T / HTTP/1.1",
          "GET /#a HTTP/1.1", "GET /zo\xc3\xab HTTP/1.1", "GET /\x01 HTTP/1.1", "GET /a\rb HTTP/1.1"}) {
        EXPECT_EQ(status_of_line(line), 400) << line;
    }
}

TEST(StartLine, MethodsThatResourcesRefuseAreKnown) {
    for (const char* method : {"TRACE", "PROPFIND", "PATCH", "QUERY", "VERSION-CONTROL"}) {
        EXPECT_EQ(status_of_line(std::string(method) + " / HTTP/1.1"), 0) << method;
    }
}

TEST(StartLine, WhatIsNotSpokenHereHasItsStatus) {
    for (const char* line : {"GET / HTTP/2.0", "GET / HTTP/0.9", "GET / HTTP/1.2", "PRI * HTTP/2.0"}) {
        EXPECT_EQ(status_of_line(line), 505) << line;
    }
    for (const char* line : {"FOO / HTTP/1.1", "get / HTTP/1.1", "CONNECT x:80 HTTP/1.1"}) {
        EXPECT_EQ(status_of_line(line), 501) << line;
    }
    EXPECT_EQ(status_of_line("GET /" + std::string(100, 'a') + " HTTP/1.1"), 414);
}

TEST(HeaderBytes, EveryLineEndsWithCrLfAndIsNotContinued) {
    EXPECT_FALSE(header_bytes_problem("GET / HTTP/1.1\r\nA: b\r\n\r\n"));
    for (const std::string_view head :
         {"GET / HTTP/1.1\nA: b\r\n\r\n", "GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n",
          "GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n",
          "GET / HTTP/1.1\r\nA:\r\n\tb\r\n\r\n", "GET / HTTP/1.1\r\n A: b\r\n\r\n"}) {
        EXPECT_TRUE(header_bytes_problem(head)) << head;
    }
    EXPECT_TRUE(header_bytes_problem(std::string_view("GET / HTTP/1.1\r\nA: b\0c\r\n\r\n", 26)));
}

} // namespace
} // namespace outbox::http
