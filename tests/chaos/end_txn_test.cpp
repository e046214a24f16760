// Fault 3: the request that ends a transaction, or its answer, is lost, repeated or late.

#include "fixture.hpp"

namespace outbox::chaos {
namespace {

using Kind = Fault::Kind;
using EndTxn = Chaos;

/// Of batch 3, the second on its lane.
Rule third_commit(Kind fault) {
    return {.match = {"EndTxn", "-0-1 commit"}, .fault = {fault}, .nth = 2};
}

TEST_F(EndTxn, ACommitThatIsLostWithItsConnectionIsSentAgain) {
    start_relay();
    const auto rule = kafka->inject(third_commit(Kind::cut_before));
    expect_delivery_after(rule);
    EXPECT_FALSE(kafka->wait_hit(rule, soon()).answered);
    EXPECT_GE(recoveries(), 1);
}

TEST_F(EndTxn, ACommitIntoABlackHoleIsSentAgain) {
    start_relay();
    const auto rule = kafka->inject(third_commit(Kind::black_hole));
    expect_delivery_after(rule);
    EXPECT_FALSE(kafka->wait_hit(rule, soon()).answered);
    EXPECT_GE(recoveries(), 1);
}

TEST_F(EndTxn, ACommitWhoseAnswerIsLostWithItsConnectionIsFoundInTheManifest) {
    start_relay();
    const auto rule = kafka->inject(third_commit(Kind::cut_after));
    expect_delivery_after(rule);
    EXPECT_THAT(kafka->wait_hit(rule, soon()), Succeeded());
    EXPECT_GE(recoveries(), 1);
}

TEST_F(EndTxn, ACommitWhoseAnswerIsSwallowedIsFoundInTheManifest) {
    start_relay();
    const auto rule = kafka->inject(third_commit(Kind::drop_answer));
    expect_delivery_after(rule);
    EXPECT_THAT(kafka->wait_hit(rule, soon()), Succeeded());
    EXPECT_GE(recoveries(), 1);
}

TEST_F(EndTxn, ALateCommitIsWaitedFor) {
    start_relay();
    Rule late = third_commit(Kind::stall);
    late.fault.span = 500ms;
    expect_delivery_after(kafka->inject(late));
    EXPECT_EQ(recoveries(), 0);
}

TEST_F(EndTxn, ACommitDelayedIntoTheNextTransactionIsFenced) {
    start_relay();
    const auto stray = send_in_next_transaction(third_commit(Kind::hold_and_cut));
    EXPECT_THAT(stray, IsFenced());
    expect_exactly_once();
    EXPECT_GE(recoveries(), 1);
}

TEST_F(EndTxn, AnAbortDelayedIntoTheNextTransactionIsFenced) {
    start_relay();
    const auto stray = send_in_next_transaction(third_commit(Kind::hold_and_cut), flip_end_txn);
    EXPECT_THAT(stray, IsFenced());
    expect_exactly_once();
    EXPECT_GE(recoveries(), 1);
}

TEST_F(EndTxn, ACommitThatArrivesTwiceChangesNothing) {
    start_relay();
    expect_delivery_after(kafka->inject(third_commit(Kind::duplicate)));
    EXPECT_EQ(strays(), 1);
    EXPECT_EQ(recoveries(), 0);
}

} // namespace
} // namespace outbox::chaos
