#include <outbox/http/json_body.hpp>
#include <outbox/http/problem.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace outbox::http {
namespace {

/// @return the status it is refused with, 200 when it is read.
int status_of(const std::string& body, const std::string& content_type = "application/json",
              const std::string& encoding = "") {
    Request request{"POST", "/", {}, body, {}, Deadline::in(milliseconds(1000))};
    if (!content_type.empty()) {
        request.headers.add("content-type", content_type);
    }
    if (!encoding.empty()) {
        request.headers.add("Content-Encoding", encoding);
    }
    try {
        std::ignore = read_json_object(request);
        return 200;
    } catch (const ProblemError& error) {
        return error.problem().status;
    }
}

std::string nested(int levels) {
    return R"({"a":)" + std::string(static_cast<std::size_t>(levels), '[') +
           std::string(static_cast<std::size_t>(levels), ']') + "}";
}

TEST(JsonBody, TakesAnObject) {
    EXPECT_EQ(status_of("{}"), 200);
    EXPECT_EQ(status_of(R"( {"name": "Zoë \ud83d\ude00"} )"), 200);
}

TEST(JsonBody, BadSyntaxIs400) {
    for (const char* body :
         {"", "{", "{\"a\":1", "{'a':1}", "{\"a\":1}x", "nul", "{\"a\":NaN}", "{\"a\":\"\t\"}"}) {
        EXPECT_EQ(status_of(body), 400) << body;
    }
}

TEST(JsonBody, WhatIsNotUtf8Is400) {
    EXPECT_EQ(status_of("{\"name\":\"\xff\"}"), 400);
    EXPECT_EQ(status_of("{\"name\":\"\xc0\xaf\"}"), 400) << "overlong";
    EXPECT_EQ(status_of("{\"name\":\"\xed\xa0\x80\"}"), 400) << "surrogate";
    EXPECT_EQ(status_of(R"({"name":"\ud800"})"), 400) << "half an escaped surrogate pair";
    EXPECT_EQ(status_of("{\"name\":\"Zo\xeb\"}"), 400) << "ISO 8859-1";
}

TEST(JsonBody, OtherThanAnObjectIs422) {
    for (const char* body : {"[]", "1", "\"text\"", "null", "true"}) {
        EXPECT_EQ(status_of(body), 422) << body;
    }
}

TEST(JsonBody, DeepNestingIsRefusedNotFollowed) {
    EXPECT_EQ(status_of(nested(30)), 200);
    EXPECT_EQ(status_of(nested(100)), 400);
    EXPECT_EQ(status_of(std::string(1'000'000, '[')), 400);
}

TEST(JsonBody, TheMediaTypeMustBeJson) {
    for (const char* type : {"application/json", "Application/JSON", "application/json; charset=utf-8",
                             "application/json;charset=\"UTF-8\"", "application/json ; profile=x"}) {
        EXPECT_EQ(status_of("{}", type), 200) << type;
    }
    for (const char* type : {"", "text/plain", "application/jsonx", "application/x-www-form-urlencoded",
                             "application/json; charset=iso-8859-1", "application"}) {
        EXPECT_EQ(status_of("{}", type), 415) << type;
    }
}

TEST(JsonBody, ACompressedBodyIs415) {
    EXPECT_EQ(status_of("{}", "application/json", "gzip"), 415);
    EXPECT_EQ(status_of("{}", "application/json", "Identity"), 200);
}

} // namespace
} // namespace outbox::http
