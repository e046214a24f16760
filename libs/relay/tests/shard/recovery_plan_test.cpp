#include "shard/recovery_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox::relay {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class Recovery : public testing::Test {
protected:
    Uuid outbox = Uuid::random();
    Uuid me = Uuid::random();
    Uuid before = Uuid::random();
    store::Acquired acquired{{0, me, 5}, {10, 100}};
    kafka::ControlTail tail{0, 1000, {}};

    void add(std::int64_t offset, std::int64_t batch, std::int64_t epoch, const Uuid& owner) {
        tail.records.push_back(
            {offset,
             delivery::encode({outbox, owner, epoch, batch, {{1, batch * 10, 7, delivery::Outcome::sent}}})});
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

TEST_F(Recovery, NamesTheSlotsUnderWhichUnmarkedManifestsWereSentOnce) {
    add(100, 10, 4, before); // is marked
    add(105, 11, 4, before);
    add(110, 12, 4, before);
    add(115, 13, 4, before);
    add(120, 14, 4, before);
    const std::string header(delivery::slot_header);
    tail.records[0].headers[header] = delivery::encode_slot({7, 1});
    tail.records[1].headers[header] = delivery::encode_slot({3, 17});
    tail.records[2].headers[header] = delivery::encode_slot({3, 17});
    tail.records[3].headers[header] = "three"; // of a newer relay
    using Kind = store::SentUnder::Kind;
    EXPECT_EQ(settled().sent_under,
              (std::vector<store::SentUnder>{{Kind::slot, {3, 17}}, {Kind::unknown, {}}, {Kind::shard, {}}}));
}

TEST_F(Recovery, ARowBecomesWhatItsManifestSays) {
    add(100, 10, 4, before);
    const std::vector<delivery::ManifestRow> rows{{1, 110, 7, delivery::Outcome::sent},
                                                  {1, 111, 7, delivery::Outcome::dead_lettered},
                                                  {1, 112, 7, delivery::Outcome::skipped}};
    tail.records.push_back({105, delivery::encode({outbox, before, 4, 11, rows})});
    const Settle settle = settled();
    ASSERT_EQ(settle.rows.size(), 3U);
    EXPECT_EQ(settle.rows[0].state, "SENT");
    EXPECT_EQ(settle.rows[1].state, "FAILED");
    EXPECT_EQ(settle.rows[2].state, "SKIPPED");
}

TEST_F(Recovery, RowsAreFoundByTheTopicWhereTheyWentAndItsIdThen) {
    add(100, 10, 4, before); // of a relay that knew no ids
    const Uuid old = Uuid::random();
    const Uuid anew = Uuid::random();
    for (const auto& [batch, id] : {std::pair(std::int64_t{11}, old), {12, anew}}) {
        delivery::Manifest manifest{outbox, before, 4, batch, {}, {{"orders", id}}};
        manifest.rows = {{1, batch * 10, 7, delivery::Outcome::sent, 0},
                         {1, batch * 10 + 1, 7, delivery::Outcome::dead_lettered, 0},
                         {1, batch * 10 + 2, 7, delivery::Outcome::skipped, 0},
                         {1, batch * 10 + 3, 7, delivery::Outcome::sent}};
        tail.records.push_back(
            {.offset = 100 + batch,
             .value = delivery::encode(manifest),
             .headers = {{std::string(delivery::topics_header), encode_topics(manifest)}}});
    }
    const Settle settle = settled();
    ASSERT_EQ(settle.rows.size(), 8U);
    EXPECT_THAT(settle.by_topic,
                testing::UnorderedElementsAre(
                    testing::Pair(testing::Pair("orders", old), testing::ElementsAre(0, 1)),
                    testing::Pair(testing::Pair("orders", anew), testing::ElementsAre(4, 5))));
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
    const auto told = AllOf(HasSubstr("is not at offset 100"), HasSubstr("`outbox-relay reconcile`"));
    EXPECT_THAT(stopped(), told);
    add(105, 11, 4, before);
    EXPECT_THAT(stopped(), told);
}

TEST_F(Recovery, StopsAtAGap) {
    add(100, 10, 4, before);
    add(110, 12, 4, before);
    EXPECT_THAT(stopped(),
                AllOf(HasSubstr("batch 12 follows where 11 is due"), HasSubstr("`outbox-relay reconcile`")));
}

TEST_F(Recovery, StopsAtARecordThatIsNoManifest) {
    add(100, 10, 4, before);
    tail.records.push_back({105, "hello"});
    EXPECT_THAT(stopped(), AllOf(HasSubstr("offset 105 cannot be read"), HasSubstr("docs/operations.md")));
}

TEST_F(Recovery, StopsAtAForeignOutboxAndAtAnEpochAboveItsOwn) {
    add(100, 10, 4, before);
    add(105, 11, 6, before);
    EXPECT_THAT(stopped(), AllOf(HasSubstr("under epoch 6"), HasSubstr("`outbox-relay reconcile`")));
    tail.records.pop_back();
    outbox = Uuid::random();
    EXPECT_THAT(stopped(), AllOf(HasSubstr("belongs to outbox"), HasSubstr("choose another OUTBOX_NAME")));
}

TEST_F(Recovery, RaisesTheEpochWhenAFailoverLostABump) {
    add(100, 10, 4, before);
    add(105, 11, 5, before);
    EXPECT_TRUE(settled().raise_epoch);
}

} // namespace
} // namespace outbox::relay
