#include "cost.hpp"

#include <outbox/http/json_body.hpp>
#include <outbox/http/problem.hpp>

#include <gtest/gtest.h>

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
        std::ignore = read_json_object(request, {"a", "name"});
        return 200;
    } catch (const ProblemError& error) {
        return error.problem().type.status;
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

TEST(JsonBody, TwoMediaTypesAre415) {
    Request request{"POST", "/", {}, "{}", {}, Deadline::in(milliseconds(1000))};
    request.headers.add("Content-Type", "application/json");
    request.headers.add("Content-Type", "text/plain");
    EXPECT_THROW(read_json_object(request, {}), ProblemError);
}

TEST(JsonBody, ACompressedBodyIs415) {
    EXPECT_EQ(status_of("{}", "application/json", "gzip"), 415);
    EXPECT_EQ(status_of("{}", "application/json", "Identity"), 200);
}

TEST(JsonBody, WhatWasAskedForIsKeptAndNothingElse) {
    const JsonObject body =
        parse_json_object(R"({"x":{"a":1},"a":"Zo\u00eb","b":[{"name":2}],"name":null,"c":true,"d":{}})",
                          {"a", "name", "c", "d", "e"});
    ASSERT_EQ(body.size(), 4U);
    EXPECT_EQ(body.at("a").text, "Zoë");
    EXPECT_EQ(body.at("a").kind, JsonValue::Kind::string);
    EXPECT_EQ(body.at("name").kind, JsonValue::Kind::null);
    EXPECT_EQ(body.at("c").text, "true");
    EXPECT_EQ(body.at("d").kind, JsonValue::Kind::object);
    EXPECT_EQ(parse_json_object(R"({"a":1,"a":"2"})", {"a"}).at("a").text, "2") << "the last counts";
    EXPECT_EQ(parse_json_object(R"({"a":1e400})", {"a"}).at("a").text, "1e400");
}

TEST(JsonBody, NothingMayStandBehindTheObject) {
    EXPECT_EQ(status_of(std::string("{}\0x", 4)), 400);
    EXPECT_EQ(status_of("{} {}"), 400);
    EXPECT_EQ(status_of("\xef\xbb\xbf{}"), 400) << "a byte order mark";
}

/// An object of about so many bytes that is made of one thing.
std::string filled(std::size_t bytes, const std::string& begin, const std::string& piece,
                   const std::string& end) {
    std::string text = begin;
    while (text.size() < bytes) {
        text += piece;
    }
    text.back() = text.back() == ',' ? ' ' : text.back();
    return text + end;
}

TEST(JsonBody, TheCostOfABodyIsLinearWhateverItIsMadeOf) {
    const auto growth = [](const std::string& begin, const std::string& piece, const std::string& end) {
        return growth_of_cost([&](std::size_t bytes) { status_of(filled(bytes, begin, piece, end)); },
                              std::size_t{128} * 1024);
    };
    constexpr double at_most = 24; // linear is 8, quadratic 64
    EXPECT_LT(growth("{\"a\":[", "{},", "]}"), at_most);
    EXPECT_LT(growth("{\"a\":[", "[[[]]],", "]}"), at_most);
    EXPECT_LT(growth("{", "\"a\":{},", "}"), at_most) << "many members of one name";
    EXPECT_LT(growth("{", "\"\\u0061\":\"\",", "}"), at_most);
    EXPECT_LT(growth("{\"a\":\"", "\\n", "\"}"), at_most);
    EXPECT_LT(growth("{\"a\":", "1", "}"), at_most) << "one long number";
    EXPECT_LT(growth("{\"a\":", "[", ""), at_most);
    EXPECT_LT(growth("", " ", "{}"), at_most);
}

TEST(JsonBody, AMebibyteOfEmptyObjectsTakesMilliseconds) {
    const std::string body = filled(1'048'576, "{\"a\":[", "{},", "]}");
    EXPECT_EQ(status_of(body), 200);
    EXPECT_LT(cost_of([&] { status_of(body); }), std::chrono::milliseconds(500));
}

} // namespace
} // namespace outbox::http
