#include <outbox/users/trace_context.hpp>

#include <gtest/gtest.h>

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

TEST(TraceContext, IsReadFromTheRequestsHeaders) {
    const auto trace =
        trace_context_of(headers({{"Traceparent", valid}, {"tracestate", "a=1,b=2"}, {"tracestate", "c=3"}}));
    EXPECT_EQ(trace.traceparent, valid);
    EXPECT_EQ(trace.tracestate, "a=1,b=2,c=3");
}

TEST(TraceContext, IsEmptyWhenThereIsNoneOrTwo) {
    for (const auto& none : {headers({}), headers({{"tracestate", "a=1"}}),
                             headers({{"traceparent", valid}, {"traceparent", valid}})}) {
        EXPECT_EQ(trace_context_of(none).traceparent, "");
        EXPECT_EQ(trace_context_of(none).tracestate, "");
    }
}

} // namespace
} // namespace outbox::users
