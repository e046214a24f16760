// Fault 4: the requests that fill a transaction are lost, repeated or late.

#include "fixture.hpp"

namespace outbox::chaos {
namespace {

using Kind = Fault::Kind;

class TransactionRequest : public Chaos, public testing::WithParamInterface<const char*> {
protected:
    /// On lane 1, in its second transaction as a rule.
    [[nodiscard]] Rule third(Kind fault) const {
        return {.match = {GetParam(), "-p0-1 "}, .fault = {fault}, .nth = 3};
    }
};

TEST_P(TransactionRequest, LostWithItsConnectionIsSentAgain) {
    start_relay();
    const auto rule = kafka->inject(third(Kind::cut_before));
    expect_delivery_after(rule);
    EXPECT_FALSE(kafka->wait_hit(rule, soon()).answered);
    EXPECT_GE(recoveries(), 1);
}

TEST_P(TransactionRequest, DelayedIntoTheNextTransactionIsFenced) {
    start_relay();
    const auto stray = send_in_next_transaction(third(Kind::hold_and_cut));
    EXPECT_THAT(stray, IsFenced());
    expect_exactly_once();
    EXPECT_GE(recoveries(), 1);
}

// It may make the broker refuse the transaction's own request; then the relay recovers.
TEST_P(TransactionRequest, RepeatedInTheNextTransactionCostsNoEvent) {
    start_relay();
    send_in_next_transaction(third(Kind::copy));
    EXPECT_EQ(strays(), 1);
    expect_exactly_once();
}

TEST_P(TransactionRequest, ThatArrivesTwiceChangesNothing) {
    start_relay();
    expect_delivery_after(kafka->inject(third(Kind::duplicate)));
    EXPECT_EQ(strays(), 1);
    EXPECT_EQ(recoveries(), 0);
}

INSTANTIATE_TEST_SUITE_P(Kafka, TransactionRequest, testing::Values("AddPartitionsToTxn", "Produce"),
                         [](const auto& request) { return request.param; });

} // namespace
} // namespace outbox::chaos
