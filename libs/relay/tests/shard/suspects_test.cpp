#include "fakes.hpp"
#include "shard/suspects.hpp"

#include <outbox/kafka/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox::relay {
namespace {

using kafka::Blame;
using testing::Contains;
using testing::Key;

constexpr std::size_t most = 100;

/// They point into it.
struct TestBatch : delivery::Batch {
    explicit TestBatch(const std::vector<std::int64_t>& seqs, std::string_view value = {}) {
        claimed = fakes::rows_of(seqs);
        for (const store::Row& row : claimed.rows) {
            kafka::Record record;
            record.topic = row.topic;
            record.value = value;
            records.push_back(record);
        }
        kafka::Record last;
        last.topic = "control";
        records.push_back(last);
        manifests.emplace_back();
    }
};

TEST(Suspects, AreSoughtByHalvesAndTheOneThatStandsAloneIsBlamed) {
    Suspects suspects(most, 10);
    EXPECT_TRUE(suspects.judge(TestBatch({1, 2, 3, 4}), {5, Blame::record, "no"}));
    EXPECT_EQ(suspects.most_rows(), 2U);
    EXPECT_TRUE(suspects.judge(TestBatch({1, 2}), {5, Blame::record, "no"}));
    EXPECT_EQ(suspects.most_rows(), 1U);
    EXPECT_TRUE(suspects.judge(TestBatch({2}), {5, Blame::record, "no"}));
    EXPECT_EQ(suspects.most_rows(), most) << "it was found";
    EXPECT_THAT(suspects.blamed(), Contains(Key(2)));
    EXPECT_EQ(suspects.blamed().at(2).refusal.reason, "no");
    suspects.forget(2);
    EXPECT_TRUE(suspects.blamed().empty());
}

TEST(Suspects, AnotherEventWithTheNumberOfOneThatIsBlamedIsNot) {
    Suspects suspects(most, 10);
    TestBatch batch({2});
    batch.claimed.rows.front().id = Uuid::random();
    suspects.judge(batch, {5, Blame::record, "no"});
    store::Row newcomer = batch.claimed.rows.front();
    EXPECT_NE(blame_of(suspects.blamed(), newcomer), nullptr);
    newcomer.id = Uuid::random();
    EXPECT_EQ(blame_of(suspects.blamed(), newcomer), nullptr);
}

TEST(Suspects, NobodyIsBlamedForWhatIsNotTheEventsFault) {
    Suspects suspects(most, 10);
    EXPECT_FALSE(suspects.judge(TestBatch({1}), {5, Blame::nobody, "broker away"}));
    EXPECT_FALSE(suspects.judge(TestBatch({}), {5, Blame::record, "no"}));
    EXPECT_TRUE(suspects.blamed().empty());
    EXPECT_EQ(suspects.most_rows(), most);
}

TEST(Suspects, ATopicIsRefusedOnlyAfterTheControlTopicTookABatchWithoutEvents) {
    Suspects suspects(most, 10);
    EXPECT_TRUE(suspects.judge(TestBatch({1, 2}), {5, Blame::topic, "not allowed"}));
    EXPECT_TRUE(suspects.need_proof());
    const auto refused = suspects.proven();
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->name, "events");
    EXPECT_EQ(refused->why.reason, "not allowed");
    EXPECT_FALSE(suspects.proven()) << "once";
    suspects.judge(TestBatch({1, 2}), {5, Blame::topic, "not allowed"});
    suspects.acquit_topic();
    EXPECT_FALSE(suspects.need_proof()) << "it was the control topic";
}

TEST(Suspects, ABatchThatTookTooLongIsFollowedByASmallerOne) {
    Suspects suspects(most, 10);
    EXPECT_TRUE(
        suspects.too_much(TestBatch({1, 2, 3, 4}), {5, Blame::nobody, "late"}, true, milliseconds(0)));
    EXPECT_EQ(suspects.most_rows(), 2U);
    EXPECT_FALSE(suspects.too_much(TestBatch({1, 2}), {5, Blame::record, "no"}, false, milliseconds(0)))
        << "it is not its size";
}

TEST(Suspects, ALargeEventThatDoesNotGetThroughAloneIsBlamed) {
    const std::string large(2 << 20, 'x');
    Suspects suspects(most, 10);
    EXPECT_FALSE(
        suspects.too_much(TestBatch({7}, large), {5, Blame::nobody, "hung up"}, true, milliseconds(0)));
    EXPECT_EQ(suspects.blamed().at(7).refusal.code, kafka::message_too_large);
}

TEST(Suspects, OfRowsThatCannotBeReadTheFirstOfABucketIsGivenUpWhereItsKeyWaits) {
    Suspects suspects(most, 10);
    const std::vector<store::UnreadableRow> rows{{5, {}, 1, 0, {}}, {3, {}, 1, 0, {}}, {4, {}, 2, 0, {}}};
    suspects.found_unreadable(rows, false);
    EXPECT_EQ(suspects.unreadable().size(), 3U);
    suspects.found_unreadable(rows, true);
    ASSERT_EQ(suspects.unreadable().size(), 2U);
    EXPECT_EQ(suspects.unreadable()[0].seq, 3);
    EXPECT_EQ(suspects.unreadable()[1].seq, 4);
    suspects.unreadable_settled();
    EXPECT_TRUE(suspects.unreadable().empty());
}

TEST(Suspects, AClaimThatTookTooMuchAsksForFewerUntilOneIsLeft) {
    Suspects suspects(most, 10);
    EXPECT_TRUE(suspects.claim_fewer());
    EXPECT_EQ(suspects.most_rows_a_statement(), 1U);
    EXPECT_FALSE(suspects.claim_fewer());
}

} // namespace
} // namespace outbox::relay
