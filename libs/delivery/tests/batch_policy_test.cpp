#include <outbox/core/event.hpp>
#include <outbox/delivery/batch_policy.hpp>

#include <gtest/gtest.h>

namespace outbox::delivery {
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
    batch.manifests.emplace_back();
    if (dead_letter) {
        batch.dead_letters[0];
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
    EXPECT_EQ(remedy(Blame::topic, {"a"}, true), Remedy::refuse_topic) << "the dead-letter topic's";
    EXPECT_EQ(remedy(Blame::record, {"a"}, true), Remedy::blame_dead_letter);
    EXPECT_EQ(remedy(Blame::record, {"a", "b"}, true), Remedy::split);
}

TEST(BatchPolicy, ItsSizeMayBeWhatALargeBatchFailedFor) {
    const std::string half(std::size_t{600} << 10, 'x');
    Batch batch;
    batch.records.emplace_back().value = half;
    EXPECT_FALSE(is_large(batch));
    batch.records.emplace_back().value = half;
    EXPECT_TRUE(is_large(batch));
}

TEST(ClaimLimit, StaysLowUntilEachBucketHasBegunAClaim) {
    ClaimLimit limit(100);
    limit.took();
    EXPECT_EQ(limit.now(), 100U);
    limit.too_many();
    EXPECT_EQ(limit.now(), 12U);
    limit.too_many();
    limit.too_many();
    EXPECT_EQ(limit.now(), 1U);
    for (int claims = 0; claims < bucket_count; ++claims) {
        EXPECT_EQ(limit.now(), 1U);
        limit.took();
    }
    EXPECT_EQ(limit.now(), 2U);
    for (int claims = 0; claims < 10 * bucket_count; ++claims) {
        limit.took();
    }
    EXPECT_EQ(limit.now(), 100U);
}

TEST(BatchPolicy, NothingIsClaimedBesideABatchThatNamesNoEventOrWhoseMarkBlocksAKey) {
    Batch batch;
    EXPECT_TRUE(goes_alone(batch));
    batch.claimed.rows.emplace_back();
    EXPECT_FALSE(goes_alone(batch));
    batch.dead_letters[0];
    EXPECT_FALSE(goes_alone(batch));
    batch.dead_letters[1].block_key = true;
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

TEST(BatchPolicy, ABatchThatTookTooLongIsHalvedAndGrowsBackSlowly) {
    BatchLimit limit(1000);
    limit.late(1000);
    EXPECT_EQ(limit.now(), 500U);
    limit.late(500);
    EXPECT_EQ(limit.now(), 250U);
    limit.sent();
    EXPECT_EQ(limit.now(), 265U);
    limit.spoilt(200);
    EXPECT_EQ(limit.now(), 100U);
    limit.sent();
    limit.sent();
    EXPECT_EQ(limit.now(), 265U) << "back to what was in time";
    for (int i = 0; i < 40; ++i) {
        limit.sent();
    }
    EXPECT_EQ(limit.now(), 1000U);
    limit.late(1);
    EXPECT_EQ(limit.now(), 1U);
}

TEST(BatchPolicy, ABatchThatAQuotaHeldBackShrinksToWhatItLetsThrough) {
    BatchLimit limit(1000);
    limit.late(1000, milliseconds(10'000));
    EXPECT_EQ(limit.now(), 100U);
    limit.sent(milliseconds(900));
    EXPECT_EQ(limit.now(), 106U);
    limit.sent(milliseconds(1'500));
    EXPECT_EQ(limit.now(), 106U) << "more would take too long";
    limit.late(3, milliseconds(60'000));
    EXPECT_EQ(limit.now(), 1U);
}

} // namespace
} // namespace outbox::delivery
