#include <outbox/users/trace_context.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <string>
#include <utility>
#include <vector>

namespace outbox::users {
namespace {

const std::string valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

http::Headers headers(const std::vector<std::pair<const char*, std::string>>& fields) {
    http::Headers all;
    for (const auto& [name, value] : fields) {
        all.add(name, value);
    }
    return all;
}

TEST(TraceContext, GoesIntoTheEventsHeaders) {
    const auto json =
        trace_headers(headers({{"Traceparent", valid}, {"tracestate", "a=1,b=2"}, {"tracestate", "c=3"}}));
    ASSERT_TRUE(json);
    EXPECT_EQ(nlohmann::json::parse(*json),
              (nlohmann::json{{"traceparent", valid}, {"tracestate", "a=1,b=2,c=3"}}));
}

TEST(TraceContext, IsLeftOutWhenThereIsNoneOrTwo) {
    EXPECT_FALSE(trace_headers({}));
    EXPECT_FALSE(trace_headers(headers({{"tracestate", "a=1"}})));
    EXPECT_FALSE(trace_headers(headers({{"traceparent", valid}, {"traceparent", valid}})));
}

TEST(TraceContext, ABrokenStateIsDroppedAndTheParentKept) {
    for (const std::string& broken :
         {std::string("novalue"), std::string("=x"), std::string(600, 'a') + "=1"}) {
        const auto json = trace_headers(headers({{"traceparent", valid}, {"tracestate", broken}}));
        ASSERT_TRUE(json);
        EXPECT_FALSE(nlohmann::json::parse(*json).contains("tracestate")) << broken;
    }
}

} // namespace
} // namespace outbox::users
