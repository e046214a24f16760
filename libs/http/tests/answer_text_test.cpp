#include "answer_text.hpp"
#include "log_limit.hpp"

#include <gtest/gtest.h>

namespace outbox::http {
namespace {

Response hello() {
    return {200, "text/plain", "hello", {}};
}

TEST(AnswerText, HasDateTypeAndLength) {
    EXPECT_EQ(answer_text(hello(), {.keep_alive = true}, 784'111'777),
              "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\n"
              "Content-Length: 5\r\n\r\nhello");
}

TEST(AnswerText, SaysWhetherTheConnectionGoesOnWhereThatIsNotWhatTheVersionSays) {
    EXPECT_NE(answer_text(hello(), {}, 0).find("\r\nConnection: close\r\n"), std::string::npos);
    EXPECT_NE(
        answer_text(hello(), {.version = 10, .keep_alive = true}, 0).find("\r\nConnection: keep-alive\r\n"),
        std::string::npos);
}

TEST(AnswerText, HeadHasTheLengthAndNoBodyAndOthersHaveNeither) {
    const std::string head = answer_text(hello(), {.to_head = true, .keep_alive = true}, 0);
    EXPECT_NE(head.find("Content-Length: 5\r\n"), std::string::npos);
    EXPECT_TRUE(head.ends_with("\r\n\r\n"));
    for (const int status : {204, 304}) {
        const std::string text = answer_text({.status = status, .body = "x"}, {.keep_alive = true}, 0);
        EXPECT_EQ(text.find("Content-"), std::string::npos) << text;
        EXPECT_TRUE(text.ends_with("\r\n\r\n"));
    }
}

TEST(AnswerText, NoValueCanBeginAnotherField) {
    Response response = hello();
    response.headers.add("Location", "/x\r\nSet-Cookie: a=b\n\nx");
    const std::string text = answer_text(response, {}, 0);
    EXPECT_NE(text.find("Location: /x  Set-Cookie: a=b  x\r\n"), std::string::npos) << text;
}

TEST(LogLimit, AdmitsSoManyAndThenSaysHowManyWereLeftOut) {
    LogLimit limit(std::chrono::seconds(1), 2);
    const SteadyClock::time_point now(std::chrono::hours(1));
    EXPECT_EQ(limit.admit(now), 0);
    EXPECT_EQ(limit.admit(now), 0);
    EXPECT_FALSE(limit.admit(now));
    EXPECT_FALSE(limit.admit(now));
    EXPECT_EQ(limit.admit(now + std::chrono::seconds(1)), 2);
    EXPECT_EQ(limit.admit(now + std::chrono::seconds(1)), 0);
}

} // namespace
} // namespace outbox::http
