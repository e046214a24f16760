#include <outbox/core/trace_context.hpp>

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace outbox {
namespace {

const std::string valid = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceContext, KnowsAParentFromABrokenOne) {
    EXPECT_TRUE(is_traceparent(valid));
    EXPECT_TRUE(is_traceparent("01" + valid.substr(2) + "-later"));
    for (const std::string& broken : std::vector<std::string>{
             "", valid.substr(1), valid + "-later", "ff" + valid.substr(2), "0G" + valid.substr(2),
             "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
             "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
             "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
             "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}) {
        EXPECT_FALSE(is_traceparent(broken)) << broken;
    }
}

} // namespace
} // namespace outbox
