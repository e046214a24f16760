// Fault 10: the connection to PostgreSQL goes at a COMMIT: of a claim (rows become PROCESSING), of a mark
// (rows become SENT). What is sent is decided in Kafka; the rows must follow it.

#include "fixture.hpp"

#include <outbox/support/wait.hpp>

#include <csignal>

namespace outbox::chaos {
namespace {

using Kind = Fault::Kind;

struct Lost {
    const char* name;
    const char* statement; ///< in the transaction
    Kind fault;
};

void PrintTo(const Lost& lost, std::ostream* out) { // NOLINT(readability-identifier-naming): gtest's
    *out << lost.name;
}

constexpr const char* claim = "\noutbox_to_processing\n";
constexpr const char* mark = "\noutbox_mark_sent\n";

class LostCommit : public Chaos, public testing::WithParamInterface<Lost> {};

TEST_P(LostCommit, CostsNoEvent) {
    start_relay();
    // The second: another batch is at the broker meanwhile.
    const auto rule =
        postgres->inject({.match = {"COMMIT", GetParam().statement}, .fault = {GetParam().fault}, .nth = 2});
    write_events();
    postgres->wait_hit(rule, soon());
    expect_exactly_once();
    const bool committed = GetParam().fault == Kind::cut_after || GetParam().fault == Kind::drop_answer;
    EXPECT_EQ(postgres->wait_hit(rule, soon()).answered, committed);
    EXPECT_GE(recoveries(), 1);
}

using Settle = Chaos;

TEST_F(Settle, OfARecoveryIsDoneAgainWhenItsAnswerIsLost) {
    start_relay();
    const auto first = postgres->inject({.match = {"COMMIT", mark}, .fault = {Kind::cut_before}});
    const auto second = postgres->inject(
        {.match = {"COMMIT", "\noutbox_settle_mark\n"}, .fault = {Kind::cut_after}, .after = first});
    write_events();
    EXPECT_TRUE(postgres->wait_answer(postgres->wait_hit(second, soon()).number, soon()).answered);
    expect_exactly_once();
    EXPECT_GE(recoveries(), 1);
}

using HungRelay = Chaos;

// Its claim has seen that it owns the shard, and then stands still in the network; its successor does so
// between its recovery and its first claim.
TEST_F(HungRelay, ChangesNoRowOfItsSuccessorByAClaimThatComesLate) {
    const Variables longest_statements{{"RELAY_LEASE", "15"}};
    start_relay(longest_statements);
    const auto session = database.value("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = "
                                        "'public'::regnamespace AND objid::bigint >> 28 = 3 AND database ="
                                        " (SELECT oid FROM pg_database WHERE datname = current_database())");
    support::Process successor(
        {{support::program("outbox-relay-faults")},
         through_proxies({{"RELAY_LEASE", "15"}, {"OUTBOX_FAULT", "after-settle:1:stop"}})});
    ASSERT_TRUE(successor.wait_for(support::Signal("started"), soon())) << successor.errors();
    const auto claim =
        postgres->inject({.match = {"COMMIT", "\noutbox_to_processing\n"}, .fault = {Kind::stall}});
    write_events();
    postgres->wait_hit(claim, soon());
    relay->signal(SIGSTOP);
    database.query("SELECT pg_terminate_backend($1::integer)",
                   {session}); // so that nobody waits for its lease to end
    ASSERT_TRUE(support::wait_until([&] { return successor.stopped(); }, 30s)) << successor.errors();
    postgres->lift(claim);
    relay->signal(SIGCONT);
    EXPECT_TRUE(relay->wait_for(support::Signal("lost"), soon()));
    successor.signal(SIGCONT);
    expect_exactly_once();
}

INSTANTIATE_TEST_SUITE_P(Postgres, LostCommit,
                         testing::Values(Lost{"ClaimCutBefore", claim, Kind::cut_before},
                                         Lost{"ClaimCutAfter", claim, Kind::cut_after},
                                         Lost{"ClaimUnanswered", claim, Kind::drop_answer},
                                         Lost{"ClaimIntoABlackHole", claim, Kind::black_hole},
                                         Lost{"MarkCutBefore", mark, Kind::cut_before},
                                         Lost{"MarkCutAfter", mark, Kind::cut_after},
                                         Lost{"MarkUnanswered", mark, Kind::drop_answer},
                                         Lost{"MarkIntoABlackHole", mark, Kind::black_hole}),
                         [](const auto& lost) { return lost.param.name; });

} // namespace
} // namespace outbox::chaos
