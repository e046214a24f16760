#include <outbox/relay/batch_policy.hpp>

#include <gtest/gtest.h>

namespace outbox::relay {
namespace {

using kafka::Blame;

/// For a batch with an event to each of the topics.
Remedy remedy(Blame blame, const std::vector<std::string_view>& topics, bool dead_letter = false) {
    Batch batch;
    for (const auto topic : topics) {
        batch.claimed.rows.emplace_back();
        batch.records.emplace_back().topic = topic;
    }
    batch.records.emplace_back().topic = "control";
    if (dead_letter) {
        batch.dead_letter.emplace();
    }
    return remedy_for({0, blame, ""}, batch);
}

TEST(BatchPolicy, OnlyACleanCommitNeedsNoRecovery) {
    EXPECT_EQ(doubt_about({}), std::nullopt);
    EXPECT_NE(doubt_about({std::nullopt, true, {}}), std::nullopt);
    EXPECT_EQ(doubt_about({kafka::Failure{0, Blame::nobody, "why"}, true, {}}), "why");
}

TEST(BatchPolicy, WhatLiesNotWithTheEventsCostsThemNothing) {
    for (const Blame blame : {Blame::nobody, Blame::fenced, Blame::setup}) {
        EXPECT_EQ(remedy(blame, {"a"}), Remedy::none);
    }
    EXPECT_EQ(remedy(Blame::record, {}), Remedy::none);
}

TEST(BatchPolicy, ASpoiltBatchIsSplitUntilTheEventStandsAlone) {
    EXPECT_EQ(remedy(Blame::record, {"a", "a"}), Remedy::split);
    EXPECT_EQ(remedy(Blame::record, {"a"}), Remedy::blame_row);
    EXPECT_EQ(remedy(Blame::topic, {"a", "b"}), Remedy::split);
    EXPECT_EQ(remedy(Blame::topic, {"a", "a"}), Remedy::refuse_topic);
    EXPECT_EQ(remedy(Blame::topic, {"a"}, true), Remedy::blame_dead_letter);
}

TEST(BatchPolicy, OnlyWhatSpendsAttemptsNeedsAProofThatTheTopicIsNotTheControlTopic) {
    const kafka::Failure of_topic{0, Blame::topic, ""};
    EXPECT_TRUE(needs_proof(of_topic, Remedy::refuse_topic));
    EXPECT_TRUE(needs_proof(of_topic, Remedy::blame_dead_letter));
    EXPECT_FALSE(needs_proof(of_topic, Remedy::split));
    EXPECT_FALSE(needs_proof({0, Blame::record, ""}, Remedy::blame_dead_letter));
}

TEST(BatchPolicy, NothingIsClaimedBesideABatchThatNamesNoEventOrWhoseMarkBlocksAKey) {
    Batch batch;
    EXPECT_TRUE(goes_alone(batch));
    batch.claimed.rows.emplace_back();
    EXPECT_FALSE(goes_alone(batch));
    batch.dead_letter.emplace();
    EXPECT_FALSE(goes_alone(batch));
    batch.dead_letter->block_key = true;
    EXPECT_TRUE(goes_alone(batch));
}

TEST(BatchPolicy, TheLimitHalvesTheSpoiltBatchAndGrowsBack) {
    BatchLimit limit(1000);
    limit.spoilt(600);
    EXPECT_EQ(limit.now(), 300U);
    limit.spoilt(1);
    EXPECT_EQ(limit.now(), 1U);
    limit.sent();
    EXPECT_EQ(limit.now(), 2U);
    limit.found();
    EXPECT_EQ(limit.now(), 1000U);
    limit.sent();
    EXPECT_EQ(limit.now(), 1000U);
}

} // namespace
} // namespace outbox::relay
