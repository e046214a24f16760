#include <outbox/relay/recovery.hpp>

#include <gtest/gtest.h>

namespace outbox::relay {
namespace {

class Recovery : public testing::Test {
protected:
    Uuid outbox = Uuid::random();
    Uuid me = Uuid::random();
    Uuid before = Uuid::random();
    store::Acquired acquired{{0, me, 5}, {10, 100}};
    kafka::ControlTail tail{0, 1000, {}};

    void add(std::int64_t offset, std::int64_t batch, std::int64_t epoch, const Uuid& owner) {
        tail.records.push_back(
            {offset, encode({outbox, owner, epoch, batch, {{1, batch * 10, 7, Outcome::sent}}})});
    }
    std::string stopped() {
        const auto plan = plan_recovery(outbox, acquired, tail);
        const auto* stop = std::get_if<StopShard>(&plan);
        return stop == nullptr ? "" : stop->reason;
    }
    Settle settled() { return std::get<Settle>(plan_recovery(outbox, acquired, tail)); }
};

TEST_F(Recovery, SettlesTheBatchesAfterTheLastDurableMark) {
    add(100, 10, 4, before);
    add(105, 11, 4, before);
    add(110, 12, 4, before);
    const Settle settle = settled();
    EXPECT_EQ(settle.newest.batch, 12);
    EXPECT_EQ(settle.newest.offset, 110);
    ASSERT_EQ(settle.rows.size(), 2U);
    EXPECT_EQ(settle.rows[0].seq, 110);
    EXPECT_EQ(settle.rows[1].seq, 120);
    EXPECT_FALSE(settle.raise_epoch);
}

TEST_F(Recovery, ARowBecomesWhatItsManifestSays) {
    add(100, 10, 4, before);
    const std::vector<ManifestRow> rows{
        {1, 110, 7, Outcome::sent}, {1, 111, 7, Outcome::dead_lettered}, {1, 112, 7, Outcome::skipped}};
    tail.records.push_back({105, encode({outbox, before, 4, 11, rows})});
    const Settle settle = settled();
    ASSERT_EQ(settle.rows.size(), 3U);
    EXPECT_EQ(settle.rows[0].state, "SENT");
    EXPECT_EQ(settle.rows[1].state, "FAILED");
    EXPECT_EQ(settle.rows[2].state, "SKIPPED");
}

TEST_F(Recovery, AFreshShardHasNothingToSettle) {
    acquired.marked = {};
    EXPECT_EQ(settled().newest.batch, 0);
}

TEST_F(Recovery, AFreshShardTakesBatchesFromTheFirst) {
    acquired.marked = {};
    add(3, 1, 4, before);
    EXPECT_EQ(settled().rows.size(), 1U);
    tail.records.clear();
    add(3, 2, 4, before);
    EXPECT_NE(stopped(), "");
}

TEST_F(Recovery, StopsWhenTheLastMarkedManifestIsGone) {
    EXPECT_NE(stopped(), "");
    add(105, 11, 4, before);
    EXPECT_NE(stopped(), "");
}

TEST_F(Recovery, StopsAtAGap) {
    add(100, 10, 4, before);
    add(110, 12, 4, before);
    EXPECT_NE(stopped(), "");
}

TEST_F(Recovery, StopsAtAForeignOutboxAndAtAnEpochAboveItsOwn) {
    add(100, 10, 4, before);
    add(105, 11, 6, before);
    EXPECT_NE(stopped(), "");
    tail.records.pop_back();
    outbox = Uuid::random();
    EXPECT_NE(stopped(), "");
}

TEST_F(Recovery, RaisesTheEpochWhenAFailoverLostABump) {
    add(100, 10, 4, before);
    add(105, 11, 5, before);
    EXPECT_TRUE(settled().raise_epoch);
}

} // namespace
} // namespace outbox::relay
