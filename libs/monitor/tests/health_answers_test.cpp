#include "health_answers.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace outbox::monitor {
namespace {

using http::Health;

const Health::Finding up{"database", true, "", milliseconds(3)};
const Health::Finding down{"kafka", false, "no broker", milliseconds(700)};
const RelayView::Loop moving{"relay", milliseconds(12)};
const RelayView::Loop still{"pipeline 0", stuck_after};

nlohmann::json json(const http::Response& response) {
    return nlohmann::json::parse(response.body);
}

TEST(RelayHealth, ARelayIsAliveWhileEachLoopMoves) {
    EXPECT_EQ(livez({moving}).status, 200);
    EXPECT_EQ(livez({}).status, 200) << "it has just begun";
    const auto response = livez({moving, still});
    EXPECT_EQ(response.status, 503);
    EXPECT_EQ(json(response), nlohmann::json::parse(R"({"status": "down", "stuck": ["pipeline 0"]})"));
}

TEST(RelayHealth, ItIsReadyWhenEachServerAnswersAndItDoesNotEnd) {
    EXPECT_EQ(readyz({up}, false).status, 200);
    EXPECT_EQ(readyz({up, down}, false).status, 503);
    EXPECT_EQ(readyz({up}, true).status, 503);
    EXPECT_EQ(json(readyz({up}, true)),
              nlohmann::json::parse(
                  R"({"status": "down", "draining": true, "dependencies": {"database": {"status": "up"}}})"));
}

TEST(RelayHealth, HealthTellsReasonsAndDurations) {
    EXPECT_EQ(health({up}, false, {moving}, 4).status, 200);
    EXPECT_EQ(health({up}, false, {still}, 4).status, 503);
    const auto response = health({up, down}, false, {moving}, 4);
    EXPECT_EQ(response.status, 503);
    EXPECT_EQ(json(response),
              nlohmann::json::parse(R"({"status": "down", "draining": false, "shards_owned": 4,
        "dependencies": {"database": {"status": "up", "duration_ms": 3},
                         "kafka": {"status": "down", "duration_ms": 700, "reason": "no broker"}},
        "loops": {"relay": {"status": "up", "still_ms": 12}}})"));
}

TEST(RelayHealth, AReasonMayHoldAnything) {
    const Health::Finding odd{"kafka", false, "\xFF\"\n", milliseconds(1)};
    EXPECT_EQ(json(health({odd}, false, {}, 0)).at("status"), "down");
}

} // namespace
} // namespace outbox::monitor
