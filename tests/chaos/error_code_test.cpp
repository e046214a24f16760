// Fault 9: answers with every class of error, though the broker has done what it was asked to.

#include "fixture.hpp"

#include <outbox/support/topics.hpp>
#include <outbox/support/wait.hpp>

#include <fmt/format.h>

namespace outbox::chaos {
namespace {

using Kind = Fault::Kind;

constexpr std::int16_t not_authorised = 29;

struct Code {
    std::string api;
    std::int16_t error;
    std::string name;
};

void PrintTo(const Code& code, std::ostream* out) { // NOLINT(readability-identifier-naming): gtest's
    *out << code.name << " to " << code.api;
}

class ErrorCode : public Chaos, public testing::WithParamInterface<Code> {
protected:
    [[nodiscard]] static Rule answered_with_it(int nth) {
        return {.match = {GetParam().api, "-p0-1"},
                .fault = {.kind = Kind::replace_error, .error = GetParam().error},
                .nth = nth};
    }
};
using RetriableError = ErrorCode;
using FinalError = ErrorCode;
using InitError = ErrorCode;

TEST_P(RetriableError, IsRetriedInTheSameTransaction) {
    start_relay();
    expect_delivery_after(kafka->inject(answered_with_it(3)));
    EXPECT_EQ(recoveries(), 0);
}

TEST_P(FinalError, EndsTheProducersAndCostsNoEvent) {
    start_relay();
    expect_delivery_after(kafka->inject(answered_with_it(3)));
    EXPECT_GE(recoveries(), 1);
    EXPECT_LE(recoveries(), 2) << "it goes round in circles";
}

TEST_P(InitError, OfARecoveryCostsNoEvent) {
    start_relay();
    Rule init = answered_with_it(1);
    init.after = kafka->inject({.match = {"EndTxn", "-p0-1 commit"}, .fault = {Kind::cut_after}, .nth = 2});
    expect_delivery_after(kafka->inject(init));
    EXPECT_GE(recoveries(), 1);
}

using AnOwner = Chaos;

TEST_F(AnOwner, ThatIsFencedAgainAndAgainStopsAndSaysWhatToDo) {
    start_relay();
    const auto rule = kafka->inject(
        {.match = {"EndTxn", " commit"}, .fault = {.kind = Kind::replace_error, .error = 90}, .times = 5});
    write_events();
    ASSERT_TRUE(support::wait_until(
        [&] { return database.number("SELECT count(stopped) FROM outbox_shards") == 1; }, 60s));
    EXPECT_EQ(recoveries(), 3);
    EXPECT_EQ(database.value("SELECT stopped FROM outbox_shards"),
              "fenced more than three times in a minute while still the owner: a second deployment uses the "
              "same outbox; stop one of the two, and give a copy of this database an OUTBOX_NAME of its own "
              "with `outbox-relay adopt`");
    kafka->lift(rule);
    relay->kill();
    start_relay();
    expect_exactly_once();
}

using ATopic = Chaos;

TEST_F(ATopic, ThatRefusesARecordCostsTheOtherEventsOfTheBatchAFewTransactions) {
    const auto secret = database.name() + "_secret";
    start_relay({{"RELAY_TRANSACTION_EVENTS", "1000"}});
    ASSERT_TRUE(support::wait_until(
        [&] { return database.number("SELECT marked_batch FROM outbox_shards") == 1; }, 30s));
    kafka->inject({.match = {"AddPartitionsToTxn", secret + '['},
                   .fault = {.kind = Kind::replace_error, .error = not_authorised},
                   .times = 1'000});
    database.query(
        "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic)"
        " SELECT gen_random_uuid(), 'user', i, 'user.created', '{}', CASE i WHEN 500 THEN $1 ELSE $2 END"
        " FROM generate_series(1, 1000) AS i",
        {secret, database.name()});
    EXPECT_TRUE(support::wait_until(
        [&] { return database.number("SELECT count(*) FROM outbox_events WHERE status = 'SENT'") == 999; },
        60s));
    EXPECT_LE(recoveries(), 16) << "ten halve 1,000";
    EXPECT_EQ(
        database.number("SELECT count(*) FROM outbox_events WHERE retry_count > 0 AND topic <> $1", {secret}),
        0);
    support::delete_topics({secret});
}

using AControlTopic = Chaos;

TEST_F(AControlTopic, ThatRefusesRecordsCostsNoEventAnAttempt) {
    start_relay();
    ASSERT_TRUE(support::wait_until(
        [&] { return database.number("SELECT marked_batch FROM outbox_shards") == 1; }, 30s))
        << "the first batch names no event";
    const auto rule = kafka->inject({.match = {"AddPartitionsToTxn", ".control["},
                                     .fault = {.kind = Kind::replace_error, .error = not_authorised},
                                     .times = 1'000});
    write_events();
    EXPECT_TRUE(
        relay->wait_for(support::Signal("recovers")
                            .saying("the control topic outbox." + database.name() + ".control refuses"),
                        soon()));
    kafka->lift(rule);
    expect_exactly_once();
}

std::string name_of(const testing::TestParamInfo<Code>& code) {
    return fmt::format("{}_{}", code.param.api, code.param.name);
}

INSTANTIATE_TEST_SUITE_P(Kafka, RetriableError,
                         testing::Values(Code{"AddPartitionsToTxn", 16, "NotCoordinator"},
                                         Code{"AddPartitionsToTxn", 51, "ConcurrentTransactions"},
                                         Code{"Produce", 6, "NotLeaderOrFollower"},
                                         Code{"Produce", 20, "NotEnoughReplicasAfterAppend"}),
                         name_of);

// Codes that librdkafka takes for abortable, for fatal, and one that it does not know. An EndTxn is never
// simply repeated, not even after a retriable code: the first may come late.
INSTANTIATE_TEST_SUITE_P(
    Kafka, FinalError,
    testing::Values(Code{"AddPartitionsToTxn", 49, "InvalidProducerIdMapping"},
                    Code{"AddPartitionsToTxn", 90, "ProducerFenced"},
                    Code{"AddPartitionsToTxn", 120, "Unknown"}, Code{"Produce", 59, "UnknownProducerId"},
                    Code{"Produce", 47, "InvalidProducerEpoch"}, Code{"Produce", 120, "Unknown"},
                    Code{"EndTxn", 15, "CoordinatorNotAvailable"},
                    Code{"EndTxn", 51, "ConcurrentTransactions"},
                    Code{"EndTxn", 49, "InvalidProducerIdMapping"}, Code{"EndTxn", 90, "ProducerFenced"},
                    Code{"EndTxn", 120, "Unknown"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(Kafka, InitError,
                         testing::Values(Code{"InitProducerId", 14, "CoordinatorLoadInProgress"},
                                         Code{"InitProducerId", 51, "ConcurrentTransactions"},
                                         Code{"InitProducerId", 49, "InvalidProducerIdMapping"},
                                         Code{"InitProducerId", 90, "ProducerFenced"},
                                         Code{"InitProducerId", 120, "Unknown"}),
                         name_of);

} // namespace
} // namespace outbox::chaos
