#include <outbox/delivery/proof.hpp>

#include <gtest/gtest.h>

namespace outbox::delivery {
namespace {

class Proof : public testing::Test {
protected:
    void SetUp() override {
        for (const std::int32_t partition : {0, 1, 0}) {
            kafka::Record record;
            record.topic = "orders";
            record.partition = partition;
            batch_.records.push_back(record);
        }
        open_.found = {begins(0, 5), begins(1, 7)};
    }
    static kafka::OpenTransaction begins(std::int32_t partition, std::int64_t offset) {
        return {.topic = "orders", .partition = partition, .start_offset = offset};
    }
    [[nodiscard]] std::optional<std::int32_t> torn() const {
        const auto found = torn_in(first_offsets(batch_, {{5, 0}, {7, 0}, {6, 0}}), open_);
        return found ? std::optional(found->number) : std::nullopt;
    }

    Batch batch_;
    kafka::OpenTransactions open_;
};

TEST_F(Proof, ATransactionThatBeginsAtItsFirstRecordIsWhole) {
    EXPECT_EQ(torn(), std::nullopt);
    open_.found[0].start_offset = 4; // the first record's own offset is not always told
    EXPECT_EQ(torn(), std::nullopt);
}

TEST_F(Proof, OneThatIsNotOpenInAPartitionIsTorn) {
    open_.found.pop_back();
    EXPECT_EQ(torn(), 1);
}

TEST_F(Proof, OneThatBeganAnewAfterAMarkerIsTorn) {
    open_.found[0].start_offset = 6;
    EXPECT_EQ(torn(), 0);
}

TEST_F(Proof, WhereNobodyCouldBeAskedNothingIsKnownAgainstIt) {
    open_.found.clear();
    open_.hidden = {{"orders", 0}};
    open_.unasked = {{"orders", 1}};
    EXPECT_EQ(torn(), std::nullopt);
}

TEST_F(Proof, ARecordWithoutAnOffsetSaysNothing) {
    EXPECT_TRUE(first_offsets(batch_, {{-1, 0}, {-1, 0}, {3, 7}}).empty());
    EXPECT_TRUE(first_offsets(batch_, {}).empty());
}

} // namespace
} // namespace outbox::delivery
