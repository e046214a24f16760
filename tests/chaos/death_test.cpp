// Fault 1, in between: the relay is killed while what it asked for last is in the network, where that is
// lost, or from which it arrives all the same.

#include "fixture.hpp"

#include <fmt/format.h>

#include <tuple>

namespace outbox::chaos {
namespace {

using Kind = Fault::Kind;

struct Last {
    const char* name;
    bool at_kafka;
    Rule rule;
};

void PrintTo(const Last& last, std::ostream* out) { // NOLINT(readability-identifier-naming): gtest's
    *out << last.name;
}

/// Of batch 3, the second on its lane.
const Rule commit{.match = {"EndTxn", "-p0-1 commit"}, .fault = {Kind::stall}, .nth = 2};

class KilledDuring : public Chaos, public testing::WithParamInterface<std::tuple<Last, bool>> {
protected:
    [[nodiscard]] FaultProxy& proxy() const { return std::get<0>(GetParam()).at_kafka ? *kafka : *postgres; }
};

TEST_P(KilledDuring, ARelayCostsNoEvent) {
    const auto& [last, arrives] = GetParam();
    start_relay();
    const auto rule = proxy().inject(last.rule);
    write_events();
    const auto asked = proxy().wait_hit(rule, soon()).number;
    relay->kill();
    if (arrives) {
        proxy().lift(rule);
        EXPECT_THAT(proxy().wait_answer(asked, soon()), Succeeded());
    }
    start_relay();
    expect_exactly_once();
    EXPECT_EQ(proxy().wait_hit(rule, soon()).answered, arrives);
}

// The second claim and the second mark: another batch is at the broker meanwhile.
INSTANTIATE_TEST_SUITE_P(
    Request, KilledDuring,
    testing::Combine(
        testing::Values(
            Last{"Claim",
                 false,
                 {.match = {"COMMIT", "\noutbox_to_processing\n"}, .fault = {Kind::stall}, .nth = 2}},
            Last{"Produce", true, {.match = {"Produce", "-p0-1 "}, .fault = {Kind::stall}, .nth = 3}},
            Last{"Commit", true, commit},
            Last{"Mark",
                 false,
                 {.match = {"COMMIT", "\noutbox_mark_sent\n"}, .fault = {Kind::stall}, .nth = 2}}),
        testing::Bool()),
    [](const auto& test) {
        return fmt::format("{}{}", std::get<0>(test.param).name,
                           std::get<1>(test.param) ? "ThatArrives" : "ThatIsLost");
    });

using KilledRelay = Chaos;

TEST_F(KilledRelay, HasItsCommitFencedThatArrivesAfterATakeover) {
    start_relay();
    const auto rule = kafka->inject(commit);
    write_events();
    const auto asked = kafka->wait_hit(rule, soon()).number;
    relay->kill();
    start_relay();
    kafka->lift(rule);
    EXPECT_THAT(kafka->wait_answer(asked, soon()), IsFenced());
    expect_exactly_once();
}

} // namespace
} // namespace outbox::chaos
