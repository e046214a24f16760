#include "fixture.hpp"

#include <outbox/support/topics.hpp>

#include <csignal>

namespace outbox {
namespace {

using std::chrono::seconds;

/// By what SERVER_TEST_CRASH says.
class CrashEndpoint : public testing::TestWithParam<const char*> {
protected:
    void TearDown() override {
        support::delete_topics({database.name(), "outbox." + database.name() + ".control"});
    }
    [[nodiscard]] std::map<std::string, std::string> environment() const {
        return with(database.environment(),
                    {{"KAFKA_TOPIC", database.name()}, {"SERVER_TEST_CRASH", GetParam()}});
    }

    support::TestDatabase database;
};

TEST_P(CrashEndpoint, TheOrphansEventArrivesExactlyOnce) {
    TestServer server(environment());
    server.ask("POST", "/test/crash", user_json("orphan@example.com"));
    ASSERT_EQ(database.number("SELECT count(*) FROM outbox_events WHERE event_type = 'user.created'"
                              " AND event_data->>'email' = 'orphan@example.com' AND topic = $1",
                              {database.name()}),
              1);
    support::Process relay({{support::program("outbox-relay")}, environment()});
    const auto verdict =
        support::run({{support::program("outbox-check"), "--wait", "60"}, environment()}, seconds(180));
    EXPECT_EQ(verdict.exit_code, 0) << verdict.output << verdict.errors << relay.errors();
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_events WHERE status = 'SENT'"), 1);
    relay.signal(SIGTERM);
    EXPECT_EQ(relay.wait(Deadline::in(seconds(20))).exit_code, 0);
}

INSTANTIATE_TEST_SUITE_P(AnswersOrEndsTheProcess, CrashEndpoint, testing::Values("answer", "exit"),
                         [](const auto& way) { return std::string(way.param); });

} // namespace
} // namespace outbox
