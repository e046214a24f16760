#include "shard/repetition.hpp"

#include <gtest/gtest.h>

namespace outbox::relay {
namespace {

using namespace std::chrono_literals;

TEST(Repetition, SaysANewReasonAtOnceAndTheSameOneEverMoreRarely) {
    Repetition repetition;
    const SteadyClock::time_point start{};
    int said = 0;
    for (auto at = start; at < start + 24h; at += 500ms) {
        said +=
            repetition.worth_saying("offset " + std::to_string(at.time_since_epoch().count()), at) ? 1 : 0;
    }
    EXPECT_GE(said, 100);
    EXPECT_LE(said, 160) << "a day";
    EXPECT_TRUE(repetition.worth_saying("another", start + 24h));
    EXPECT_FALSE(repetition.worth_saying("another", start + 24h + 9s));
    EXPECT_TRUE(repetition.worth_saying("another", start + 24h + 10s));
    EXPECT_FALSE(repetition.worth_saying("another", start + 24h + 29s));
    EXPECT_TRUE(repetition.worth_saying("another", start + 24h + 30s));
    repetition.over();
    EXPECT_TRUE(repetition.worth_saying("another", start + 24h + 31s));
}

} // namespace
} // namespace outbox::relay
