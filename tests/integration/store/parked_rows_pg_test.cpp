// Claims that leave topics out begin behind their rows, and overtake nobody who is late.
#include "fixture.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>

namespace outbox::store {
namespace {

class ParkedRows : public StoreTest {
protected:
    static std::string insert_sql(const std::string& key, const std::string& topic, int rows = 1) {
        return fmt::format(
            "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic)"
            " SELECT gen_random_uuid(), 'user', '{}', 'user.created', '{{}}', '{}'"
            " FROM generate_series(1, {})",
            key, topic, rows);
    }
    std::vector<std::int64_t> claimed(const std::vector<std::string>& parked) {
        Turn turn(store_, {ownership_});
        RowSet rows = turn.claim({}, {}, parked);
        turn.commit(rows);
        std::vector<std::int64_t> seqs;
        for (const Row& row : rows.rows) {
            seqs.push_back(row.seq);
        }
        std::sort(seqs.begin(), seqs.end()); // no bucket is always first
        return seqs;
    }
    /// Rows of the index that a claim meets.
    std::int64_t rows_met(const std::vector<std::string>& parked) {
        script(session_, "SET track_io_timing = off; SELECT pg_stat_force_next_flush()");
        claimed(parked);
        script(session_, "SELECT pg_stat_force_next_flush()");
        return database_.number(
            "SELECT idx_tup_read FROM pg_stat_user_indexes WHERE indexrelname = 'outbox_events_unsent'");
    }

    const std::vector<std::string> parked_{"out"};
};

TEST_F(ParkedRows, AreNotWalkedOverByEachClaim) {
    script(session_, insert_sql("a", "out", 5'000));
    script(session_, insert_sql("a", "open"));
    store_.skip_parked(parked_);
    store_.skip_parked(parked_);
    const auto before = rows_met(parked_);
    script(session_, insert_sql("a", "open"));
    EXPECT_LT(rows_met(parked_) - before, 100);
    EXPECT_EQ(claimed({}).size(), 100U) << "those of the topic, as soon as it is not parked any more";
}

TEST_F(ParkedRows, HideNoEventOfAWriterThatHasItsNumberAlready) {
    auto late = database_.connect();
    script(session_, insert_sql("a", "out", 10));
    script(late, "BEGIN; " + insert_sql("a", "open"));
    script(session_, insert_sql("b", "out", 10));
    for (int i = 0; i < 3; ++i) {
        store_.skip_parked(parked_);
        EXPECT_TRUE(claimed(parked_).empty());
    }
    script(late, "COMMIT");
    EXPECT_EQ(claimed(parked_), std::vector<std::int64_t>{11});
    EXPECT_FALSE(store_.peek(parked_).work);
}

TEST_F(ParkedRows, HideNoEventThatIsPutBackOrMadeNewByAnOperator) {
    script(session_,
           insert_sql("a", "open") + "; " + insert_sql("b", "out", 10) + "; " + insert_sql("b", "open"));
    Turn turn(store_, {ownership_});
    RowSet rows = turn.claim({}, {}, parked_);
    turn.commit(rows);
    ASSERT_EQ(rows.rows.size(), 2U);
    store_.skip_parked(parked_);
    store_.skip_parked(parked_);
    Turn back(store_, {ownership_});
    back.put_back(rows.rows);
    back.commit();
    EXPECT_THAT(claimed(parked_), testing::UnorderedElementsAre(1, 12)); // of two buckets
    script(session_, "UPDATE outbox_events SET status = 'SENT' WHERE seq IN (1, 12)");
    store_.skip_parked(parked_);
    store_.skip_parked(parked_);
    script(session_, "UPDATE outbox_events SET status = 'NEW' WHERE seq = 1");
    store_.forget_skipped();
    EXPECT_EQ(claimed(parked_), std::vector<std::int64_t>{1});
}

} // namespace
} // namespace outbox::store
