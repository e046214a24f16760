#include <outbox/http/problem.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace outbox::http {
namespace {

TEST(Problem, IsWrittenAsRfc9457) {
    const Response response = problem_response(
        {422, "some fields are not valid", {{"email", "is required"}, {"", "is odd"}}, {{"user_id", "7"}}});
    EXPECT_EQ(response.status, 422);
    EXPECT_EQ(response.content_type, "application/problem+json");
    EXPECT_EQ(nlohmann::json::parse(response.body), nlohmann::json::parse(R"({
        "type": "about:blank", "title": "Unprocessable Content", "status": 422, "detail": "some fields are not valid",
        "errors": [{"field": "email", "pointer": "#/email", "detail": "is required"},
                   {"field": "", "pointer": "#", "detail": "is odd"}],
        "user_id": "7"})"));
}

TEST(Problem, WithoutFieldErrorsHasNoErrorsMember) {
    EXPECT_FALSE(nlohmann::json::parse(problem_response({404, "gone"}).body).contains("errors"));
}

TEST(Problem, OnlyUnavailableSaysWhenToTryAgain) {
    EXPECT_EQ(problem_response({503, ""}).headers.find("retry-after"), "1");
    EXPECT_FALSE(problem_response({500, ""}).headers.find("Retry-After"));
}

TEST(Problem, EveryStatusInUseHasATitle) {
    for (const int status : {200, 201, 400, 404, 405, 409, 413, 414, 415, 422, 431, 500, 503}) {
        EXPECT_FALSE(reason_phrase(status).empty()) << status;
    }
}

TEST(Headers, NamesAreComparedWithoutCaseAndValuesJoined) {
    Headers headers;
    headers.add("TraceState", "a=1");
    headers.add("tracestate", "b=2");
    EXPECT_EQ(headers.find("TRACESTATE"), "a=1");
    EXPECT_EQ(headers.joined("tracestate"), "a=1,b=2");
    EXPECT_EQ(headers.count("tracestate"), 2U);
    EXPECT_FALSE(headers.find("trace"));
}

} // namespace
} // namespace outbox::http
