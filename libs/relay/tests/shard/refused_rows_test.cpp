#include "shard/refused_rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox::relay {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::vector<store::UnreadableRow> rows{{5, {}, 7, 0, "a trigger says no"}};

TEST(RefusedRows, LeaveTheirBucketOutUntilTheyAreTriedAgain) {
    const RefusedRows::Time now{std::chrono::hours(1)};
    RefusedRows refused;
    EXPECT_FALSE(refused.until_tried(now));
    const auto word = refused.leave_out(rows, now);
    EXPECT_THAT(word.why, HasSubstr("seq 5"));
    EXPECT_THAT(word.why, HasSubstr("a trigger says no"));
    EXPECT_TRUE(word.worth_saying);
    EXPECT_THAT(refused.buckets(), ElementsAre(7));
    EXPECT_EQ(refused.until_tried(now), seconds(2));
    EXPECT_FALSE(refused.try_again(now + seconds(1)));
    EXPECT_TRUE(refused.try_again(now + seconds(2)));
    EXPECT_THAT(refused.buckets(), IsEmpty());
    EXPECT_FALSE(refused.try_again(now + seconds(9))) << "there is none";
}

TEST(RefusedRows, AreOverOnceAClaimWithThemSucceeded) {
    const RefusedRows::Time now{std::chrono::hours(1)};
    RefusedRows refused;
    EXPECT_FALSE(refused.over()) << "there was none";
    refused.leave_out(rows, now);
    EXPECT_FALSE(refused.over()) << "a claim without them says nothing";
    refused.try_again(now + seconds(2));
    EXPECT_TRUE(refused.over());
    EXPECT_FALSE(refused.over()) << "that is said once";
}

TEST(RefusedRows, TheSameReasonIsNotSaidAgainAtOnce) {
    const RefusedRows::Time now{std::chrono::hours(1)};
    RefusedRows refused;
    refused.leave_out(rows, now);
    EXPECT_FALSE(refused.leave_out(rows, now + seconds(2)).worth_saying);
    EXPECT_TRUE(refused.leave_out(rows, now + seconds(12)).worth_saying);
}

TEST(RefusedRows, AfterARecoveryAreTriedWithTheFirstClaim) {
    RefusedRows refused;
    refused.leave_out(rows, {});
    refused.reset();
    EXPECT_THAT(refused.buckets(), IsEmpty());
    EXPECT_TRUE(refused.over());
}

} // namespace
} // namespace outbox::relay
