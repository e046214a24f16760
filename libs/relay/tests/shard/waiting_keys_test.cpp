#include "fakes.hpp"
#include "shard/waiting_keys.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox::relay {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class BlockedKeys : public testing::Test {
protected:
    std::vector<std::int64_t> claim() {
        std::vector<std::int64_t> seqs;
        for (const auto& row : keys_.claim(*database_.begin({}), {}, {}, {}).rows) {
            seqs.push_back(row.seq);
        }
        return seqs;
    }
    void tend() { keys_.tend(database_, {}, {}, now_); }

    WaitingKeys::Time now_{std::chrono::hours(1)};
    fakes::Database database_;
    WaitingKeys keys_;
};

TEST_F(BlockedKeys, WhereNothingWaitsOnlyReadyRowsAreAskedFor) {
    database_.ready.push_back(fakes::rows_of({1}));
    EXPECT_THAT(claim(), ElementsAre(1));
    EXPECT_THAT(claim(), IsEmpty());
    EXPECT_THAT(database_.calls, ElementsAre("claim", "claim"));
}

TEST_F(BlockedKeys, ReadyRowsAndWaitingOnesTakeTurns) {
    keys_.rows_wait();
    database_.due = {};
    database_.due.push_back(fakes::rows_of({1}));
    database_.due.push_back(fakes::rows_of({2}));
    database_.ready.push_back(fakes::rows_of({3}));
    database_.ready.push_back(fakes::rows_of({4}));
    EXPECT_THAT(claim(), ElementsAre(1));
    EXPECT_THAT(claim(), ElementsAre(3));
    EXPECT_THAT(claim(), ElementsAre(2));
    EXPECT_THAT(claim(), ElementsAre(4));
}

TEST_F(BlockedKeys, HeldRowsOfKeysThatNeedWaitNoMoreAreClaimedUntilNoneIsLeft) {
    database_.waiting = {3};
    database_.free_keys = {{3, "a"}, {3, "b"}};
    database_.held["b"].push_back(fakes::rows_of({7}));
    tend();
    database_.calls.clear();
    EXPECT_THAT(claim(), ElementsAre(7));
    EXPECT_THAT(database_.calls, ElementsAre("claim due", "claim held a", "claim held b"));
    EXPECT_TRUE(keys_.saw({})) << "b may have more";
    claim(); // ready rows have their turn
    claim();
    EXPECT_FALSE(keys_.saw({}));
}

TEST_F(BlockedKeys, AreLookedAtOnceASecondOrAtOnceWhenThereIsMore) {
    EXPECT_TRUE(keys_.look_due(now_)) << "nothing is known yet";
    database_.waiting = {3};
    tend();
    EXPECT_FALSE(keys_.look_due(now_ + milliseconds(999)));
    EXPECT_TRUE(keys_.look_due(now_ + milliseconds(1'000)));
    keys_.rows_wait();
    EXPECT_TRUE(keys_.look_due(now_));
    database_.followers = store::hold_limit;
    tend();
    EXPECT_TRUE(keys_.look_due(now_)) << "more followers are to be held aside than one statement holds";
}

TEST_F(BlockedKeys, ARowThatIsDueOrABlockedKeyIsWorthALook) {
    EXPECT_FALSE(keys_.saw({.next_attempt = milliseconds(5)}));
    EXPECT_TRUE(keys_.saw({.next_attempt = milliseconds(0)}));
    database_.due.push_back(fakes::rows_of({1}));
    EXPECT_THAT(claim(), ElementsAre(1)) << "what was seen is claimed";
}

} // namespace
} // namespace outbox::relay
