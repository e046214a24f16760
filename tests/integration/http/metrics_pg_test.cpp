#include "fixture.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace outbox {
namespace {

using testing::HasSubstr;
using testing::Not;

class HttpMetrics : public HttpTest {
protected:
    /// The value of the series that begins so, "" when there is none.
    [[nodiscard]] std::string value_of(const std::string& series) const {
        const std::string text = "\n" + ask("GET", "/metrics").body;
        const auto found = text.find("\n" + series);
        if (found == std::string::npos) {
            return "";
        }
        const auto end = text.find('\n', found + 1);
        const auto space = text.rfind(' ', end);
        return text.substr(space + 1, end - space - 1);
    }
    [[nodiscard]] std::string requests(const std::string& route, const std::string& method,
                                       int status) const {
        return value_of(fmt::format(
            "outbox_http_requests_total{{outbox=\"{}\",method=\"{}\",route=\"{}\",status=\"{}\"}}",
            database.name(), method, route, status));
    }
};

TEST_F(HttpMetrics, RequestsAreCountedByTheirRouteAndNeverByTheirPath) {
    const std::string user = add_user("ada@example.com");
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(ask("GET", user).status, 200);
    }
    EXPECT_EQ(ask("GET", "/users/nobody-12345").status, 404);
    EXPECT_EQ(ask("GET", "/secret-path-12345").status, 404);
    EXPECT_EQ(ask("DELETE", "/users").status, 405);
    EXPECT_EQ(requests("/users", "POST", 201), "1");
    EXPECT_EQ(requests("/users/{id}", "GET", 200), "3");
    EXPECT_EQ(requests("/users/{id}", "GET", 404), "1");
    EXPECT_EQ(requests("(none)", "GET", 404), "1");
    EXPECT_EQ(requests("(none)", "DELETE", 405), "1");
    const Reply all = ask("GET", "/metrics");
    EXPECT_EQ(all.headers.at("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    EXPECT_THAT(all.body, Not(HasSubstr("12345")));
    EXPECT_EQ(value_of(fmt::format("outbox_http_request_duration_seconds_count{{outbox=\"{}\",method=\"GET\","
                                   "route=\"/users/{{id}}\"}}",
                                   database.name())),
              "4");
    EXPECT_EQ(value_of("outbox_http_requests_in_flight"), "1") << "the scrape itself";
    EXPECT_EQ(value_of("outbox_http_queue_length"), "0");
    EXPECT_NE(value_of("outbox_database_connection_wait_seconds_count"), "0");
    EXPECT_EQ(value_of("outbox_build_info"), "1");
}

TEST_F(HttpMetrics, ARequestThatIsRefusedUnreadIsCountedToo) {
    Client client(server.port());
    client.send("NONSENSE\r\n\r\n");
    EXPECT_EQ(client.read().status, 400);
    EXPECT_EQ(requests("(none)", "(none)", 400), "1");
    EXPECT_EQ(ask("BREW", "/users").status, 501);
    const std::string body = ask("GET", "/metrics").body;
    EXPECT_THAT(body, Not(HasSubstr("BREW"))) << "a label takes no words of strangers";
}

} // namespace
} // namespace outbox
