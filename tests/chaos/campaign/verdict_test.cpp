#include "verdict.hpp"

#include <gtest/gtest.h>

namespace outbox::chaos {
namespace {

Verdict sample() {
    return {.planned = {{"kill relay", 2}},
            .played = {{"kill relay", 2}},
            .check = R"({"passed": true})",
            .error = {}};
}

TEST(Verdict, IsGoodWhenAllWasPlayedAndTheCheckerIsContent) {
    EXPECT_TRUE(sample().good());
}

TEST(Verdict, IsBadWhenAFaultWasNotPlayed) {
    auto verdict = sample();
    verdict.played["kill relay"] = 1;
    EXPECT_FALSE(verdict.good());
}

TEST(Verdict, IsBadWhenTheCheckerIsNotContentOrWasNotAsked) {
    auto verdict = sample();
    verdict.check = R"({"passed": false})";
    EXPECT_FALSE(verdict.good());
    verdict.check.clear();
    EXPECT_FALSE(verdict.good());
}

TEST(Verdict, IsBadWhenTheRunBrokeOffOrARelayDidNotDrain) {
    auto verdict = sample();
    verdict.error = "interrupted";
    EXPECT_FALSE(verdict.good());
    verdict = sample();
    verdict.bad_exits = 1;
    EXPECT_FALSE(verdict.good());
}

TEST(Verdict, IsBadWhenARelayEndedByItself) {
    auto verdict = sample();
    verdict.died = 1;
    EXPECT_FALSE(verdict.good());
}

} // namespace
} // namespace outbox::chaos
