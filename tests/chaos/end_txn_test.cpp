// Fault 3: the request that ends a transaction, or its answer, is lost, repeated or late.

#include "fixture.hpp"

#include <outbox/support/wait.hpp>

namespace outbox::chaos {
namespace {

using Kind = Fault::Kind;
using EndTxn = Chaos;

/// Of batch 3, the second on its lane.
Rule third_commit(Kind fault) {
    return {.match = {"EndTxn", "-p0-1 commit"}, .fault = {fault}, .nth = 2};
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

// A client that aborts and goes on leaves such a request behind; ours sends none, for new producers take its
// place.
TEST_F(EndTxn, AnAbortOfAFailedTransactionHitsNoLaterOne) {
    start_relay();
    const auto failed = kafka->inject({.match = {"AddPartitionsToTxn", "-p0-1 "},
                                       .fault = {.kind = Kind::replace_error, .error = 120},
                                       .nth = 3});
    const auto abort =
        kafka->inject({.match = {"EndTxn", "-p0-1 abort"}, .fault = {Kind::hold_and_cut}, .after = failed});
    const auto again =
        kafka->inject({.match = {"EndTxn", "-p0-1 abort"}, .fault = {Kind::none}, .after = abort});
    const auto next = kafka->inject({.match = {"Produce", "-p0-1 "}, .fault = {Kind::none}, .after = again});
    const auto commit =
        kafka->inject({.match = {"EndTxn", "-p0-1 commit"}, .fault = {Kind::stall}, .after = next});
    write_events();
    kafka->wait_hit(failed, soon());
    ASSERT_TRUE(support::wait_until([&] { return recoveries() > 0 || kafka->hit(commit); }, 30s));
    if (kafka->hit(commit)) {
        EXPECT_THAT(kafka->send_kept(abort, soon()), IsFenced());
        kafka->lift(commit);
    }
    expect_exactly_once();
}

TEST_F(EndTxn, ACommitThatArrivesTwiceChangesNothing) {
    start_relay();
    expect_delivery_after(kafka->inject(third_commit(Kind::duplicate)));
    EXPECT_EQ(strays(), 1);
    EXPECT_EQ(recoveries(), 0);
}

} // namespace
} // namespace outbox::chaos
