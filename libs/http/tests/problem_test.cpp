#include <outbox/http/problem.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace outbox::http {
namespace {

TEST(Problem, IsWrittenAsRfc9457) {
    const Response response = problem_response({problems::invalid_fields,
                                                "some fields are not valid",
                                                {{"email", "is required"}, {"", "is odd"}},
                                                {{"user_id", "7"}}});
    EXPECT_EQ(response.status, 422);
    EXPECT_EQ(response.content_type, "application/problem+json");
    EXPECT_EQ(nlohmann::json::parse(response.body), nlohmann::json::parse(R"({
        "type": "urn:problem-type:outbox:invalid-fields", "title": "Unprocessable Content", "status": 422, "detail": "some fields are not valid",
        "errors": [{"field": "email", "pointer": "#/email", "detail": "is required"},
                   {"field": "", "pointer": "#", "detail": "is odd"}],
        "user_id": "7"})"));
}

TEST(Problem, WithoutFieldErrorsHasNoErrorsMember) {
    EXPECT_FALSE(
        nlohmann::json::parse(problem_response({problems::not_found, "gone"}).body).contains("errors"));
}

TEST(Problem, OnlyWhatWasNotDoneSaysWhenToTryAgain) {
    EXPECT_EQ(problem_response({problems::unavailable, ""}).headers.find("retry-after"), "1");
    EXPECT_EQ(problem_response({problems::overloaded, ""}).headers.find("retry-after"), "1");
    EXPECT_FALSE(problem_response({problems::outcome_unknown, ""}).headers.find("Retry-After"));
    EXPECT_FALSE(problem_response({problems::internal_error, ""}).headers.find("Retry-After"));
}

TEST(Problem, EveryStatusInUseHasATitle) {
    for (const int status : {200, 201, 204, 304, 400, 404, 405, 408, 409, 411, 412,
                             413, 414, 415, 417, 422, 431, 500, 501, 503, 505}) {
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
