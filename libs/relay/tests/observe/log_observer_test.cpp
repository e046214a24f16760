#include "observe/log_observer.hpp"

#include <outbox/telemetry/log.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace outbox::relay {
namespace {

using namespace std::chrono_literals;
using happened::Cause;
using testing::ElementsAre;
using testing::IsEmpty;

/// What the log holds after something has happened: "warn shard lost shard=3".
class LogObserverTest : public testing::Test {
protected:
    LogObserverTest() {
        log::configure(settings_, "test", [this](log::Level level, std::string_view line) {
            const char* const names[] = {"debug", "info", "warn", "error"};
            lines_.push_back(std::string(names[static_cast<int>(level)]) + ' ' + std::string(line));
        });
    }
    void TearDown() override { log::configure(settings_, "test"); } // the lines go

    std::vector<std::string> lines() { return std::exchange(lines_, {}); }
    LogObserver& observer() { return observer_; }

    SteadyClock::time_point now_ = SteadyClock::now();

private:
    Settings settings_ = Settings::load(Program::relay, {{"LOG_LEVEL", "debug"}},
                                        [](const char*) -> const char* { return nullptr; });
    std::vector<std::string> lines_;
    LogObserver observer_{true, [this] { return now_; }};
};

struct Line {
    std::string name;
    std::function<void(LogObserver&)> happens;
    std::string line;
    // NOLINTNEXTLINE(readability-identifier-naming)
    friend void PrintTo(const Line& line, std::ostream* to) { *to << line.name; }
};

const Uuid id = *Uuid::parse("00000000-0000-4000-8000-000000000001");
const std::string attempt =
    R"( shard=3 event="00000000-0000-4000-8000-000000000001" seq=7 attempt=2 error="why" dead_letter_topic="letters")";

happened::Attempt attempt_with(bool key_waits) {
    return {3, id, 7, 2, "why", "letters", key_waits, 5s};
}

class EachHappening : public LogObserverTest, public testing::WithParamInterface<Line> {};

TEST_P(EachHappening, IsItsLine) {
    GetParam().happens(observer());
    EXPECT_THAT(lines(), ElementsAre(GetParam().line));
}

std::string name_of(const testing::TestParamInfo<Line>& line) {
    return line.param.name;
}

INSTANTIATE_TEST_SUITE_P(
    OfTopics, EachHappening,
    testing::Values(
        Line{
            "Parked",
            [](auto& it) {
                it.topic_parked({"a", 3, "why", 65s, false});
            },
            R"(error topic parked: its events wait, and spend no attempt topic="a" reason="why" seconds=65)"},
        Line{"GivenUp",
             [](auto& it) {
                 it.topic_parked({"a", 3, "why", 65s, true});
             },
             R"(error topic given up: its events are FAILED topic="a" reason="why" seconds=65)"},
        Line{"NotAsked", [](auto& it) { it.topics_not_asked("why"); },
             R"(debug parked topics could not be asked about reason="why")"},
        Line{"Well",
             [](auto& it) {
                 it.topic_well({"a", 2900ms});
             },
             R"(info topic takes records again topic="a" seconds=2)"},
        Line{"Unneeded", [](auto& it) { it.topic_unneeded("a"); },
             R"(info no event waits for the parked topic any more topic="a")"},
        Line{"Created",
             [](auto& it) {
                 it.topic_created({"a", 6});
             },
             R"(info topic created topic="a" partitions=6)"},
        Line{"IdToldAgain",
             [](auto& it) {
                 it.topic_id_told({"a", true});
             },
             R"(info Kafka tells the id of this topic again topic="a")"},
        Line{
            "IdHidden",
            [](auto& it) {
                it.topic_id_told({"a", false});
            },
            "warn it is not noticed when this topic is deleted and made again while a transaction is open: "
            "Kafka does not tell this client its id topic=\"a\" type=\"kafka-acls.sh --add --allow-principal "
            "User:<this program's> --operation Describe --topic a; or, where it is denied, kafka-acls.sh "
            "--remove --deny-principal User:<this program's> --operation Describe --topic a\""},
        Line{"IdsUnknown", [](auto& it) { it.topic_ids_unknown("why"); },
             "warn it is not noticed when a topic is deleted and made again while a transaction is open "
             "reason=\"why\""}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    OfEvents, EachHappening,
    testing::Values(
        Line{"Retried", [](auto& it) { it.retried(attempt_with(false)); },
             "warn event could not be sent; it is tried again" + attempt},
        Line{"Failed", [](auto& it) { it.failed(attempt_with(false)); },
             "error event given up: it is FAILED and its key goes on" + attempt},
        Line{"FailedWithAKeyThatWaits", [](auto& it) { it.failed(attempt_with(true)); },
             "error event given up: it is FAILED and its key waits for an operator" + attempt},
        Line{"FailedWithTheirTopic",
             [](auto& it) {
                 it.failed_with_topic({3, 9, id, "why", "letters"});
             },
             R"(error events given up with their topic: they are FAILED shard=3 events=9 )"
             R"(last="00000000-0000-4000-8000-000000000001" error="why" dead_letter_topic="letters")"},
        Line{"HeldUp",
             [](auto& it) {
                 it.held_up({3, "why", false});
             },
             R"(error an event waits: it goes on by itself once this is mended pipeline=3 reason="why")"},
        Line{"Outlived",
             [](auto& it) {
                 it.outlived({"a", 5, 13});
             },
             "warn events are older than their topic keeps records: their messages carry the time of sending "
             "topic=\"a\" events=5 events_since_start=13"},
        Line{"RowsChanged",
             [](auto& it) {
                 it.rows_changed({3, 2});
             },
             "error events that were sent are not unsent rows any more: somebody changed them pipeline=3 "
             "rows=2"},
        Line{"StraysFreed",
             [](auto& it) {
                 it.strays_freed({3, 2});
             },
             "warn events were PROCESSING or held aside by somebody else's hand: they are sent like others "
             "pipeline=3 events=2"},
        Line{"StraysStuck",
             [](auto& it) {
                 it.strays_stuck({3, "why"});
             },
             "warn events that are PROCESSING by somebody else's hand cannot be changed pipeline=3 "
             "reason=\"why\""},
        Line{"Gone",
             [](auto& it) {
                 it.gone({3, 2, "why"});
             },
             R"(error events are gone with their topic: they are FAILED shard=3 events=2 error="why")"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    OfShards, EachHappening,
    testing::Values(
        Line{"Recovered",
             [](auto& it) {
                 it.recovered({3, 7, 40, 5, 6});
             },
             "info shard taken shard=3 epoch=7 batch=40 settled_sent=5 reset=6"},
        Line{"Recovers",
             [](auto& it) {
                 it.recovers({3, "why", Cause::passes, 1});
             },
             R"(warn shard recovers shard=3 reason="why" failures=1)"},
        Line{"RecoversRefused",
             [](auto& it) {
                 it.recovers({3, "why", Cause::refused, 1});
             },
             R"(error shard recovers shard=3 reason="why" failures=1)"},
        Line{
            "RecoversOnceMended",
            [](auto& it) {
                it.recovers({3, "why", Cause::asks_for_a_hand, 1});
            },
            R"(error shard waits: it goes on by itself once this is mended shard=3 reason="why" failures=1)"},
        Line{"RecoversUnexpectedly",
             [](auto& it) {
                 it.recovers({3, "why", Cause::unexpected, 1});
             },
             R"(error shard recovers from an unexpected error shard=3 reason="why" failures=1)"},
        Line{"RecoversForGood",
             [](auto& it) {
                 it.recovers({3, "why", Cause::mended, 0});
             },
             R"(info shard recovers shard=3 reason="why")"},
        Line{"PipelineRecovers",
             [](auto& it) {
                 it.pipeline_recovers({0, 8, "why", Cause::passes, 1});
             },
             R"(warn pipeline recovers pipeline=0 shards=8 reason="why" failures=1)"},
        Line{"PipelineRecoversForGood",
             [](auto& it) {
                 it.pipeline_recovers({0, 8, "why", Cause::mended, 0});
             },
             R"(info pipeline recovers pipeline=0 shards=8 reason="why")"},
        Line{"Paused", [](auto& it) { it.paused(3); }, "info shard paused shard=3"},
        Line{"Resumed", [](auto& it) { it.resumed(3); }, "info shard resumed shard=3"},
        Line{"Released", [](auto& it) { it.released(3); }, "info shard released shard=3"},
        Line{"Lost",
             [](auto& it) {
                 it.lost({3, "why", false});
             },
             R"(info shard lost shard=3 reason="why")"},
        Line{"LeftToOthers",
             [](auto& it) {
                 it.lost({3, "why", true});
             },
             R"(info shard left to others shard=3 reason="why")"},
        Line{"Stopped",
             [](auto& it) {
                 it.stopped({3, "why"});
             },
             "error shard stopped: an operator must act, then type outbox-relay resume --shard N shard=3 "
             "reason=\"why\""},
        Line{"StopNotWritten",
             [](auto& it) {
                 it.stop_not_written({3, "why"});
             },
             R"(error the reason could not be written to outbox_shards shard=3 error="why")"},
        Line{"TriedAgain", [](auto& it) { it.tried_again(3); }, "info shard is tried again shard=3"},
        Line{"MarkerWaits",
             [](auto& it) {
                 it.marker_waits({"p3", "a"});
             },
             "warn topic parked ids=\"p3\" topic=\"a\" reason=\"a partition that may lack a marker has no "
             "leader "
             "to ask\""},
        Line{"MarkerWritten",
             [](auto& it) {
                 it.marker_written({"p3", "a", 1, 99, true});
             },
             "warn a broker ended a transaction without its marker in every partition; the marker is written "
             "now ids=\"p3\" topic=\"a\" partition=1 offset=99 outcome=\"commit\""},
        Line{"Throttled",
             [](auto& it) {
                 it.throttled({3, 250ms, 100});
             },
             "warn Kafka holds this relay back by a quota pipeline=3 throttle_ms=250 events_a_batch=100"},
        Line{"BatchTooLarge",
             [](auto& it) {
                 it.batch_too_large({3, 100, 50, "why"});
             },
             "warn a batch took too much; the next one is smaller pipeline=3 events=100 next=50"},
        Line{"ClaimTooLarge",
             [](auto& it) {
                 it.claim_too_large({3, 0, 50, "why"});
             },
             "warn a claim took too much; the next one asks for fewer events at once pipeline=3 next=50 "
             "reason=\"why\""},
        Line{"TopicsUnknown",
             [](auto& it) {
                 it.topics_unknown({3, "why"});
             },
             R"(debug topics could not be asked about pipeline=3 reason="why")"}),
    name_of);

INSTANTIATE_TEST_SUITE_P(
    OfTheRelay, EachHappening,
    testing::Values(
        Line{"Started",
             [](auto& it) {
                 it.started({"o", "n", "c", 8, "r"});
             },
             R"(info relay starts outbox="o" name="n" cluster="c" shards=8 relay="r")"},
        Line{"Waits",
             [](auto& it) {
                 it.waits({"why", 2, false});
             },
             R"(warn relay waits for PostgreSQL and Kafka reason="why" failures=2)"},
        Line{"WaitsRefused",
             [](auto& it) {
                 it.waits({"why", 2, true});
             },
             R"(error relay waits for PostgreSQL and Kafka reason="why" failures=2)"},
        Line{"PausesChanged",
             [](auto& it) {
                 it.pauses_changed({2, 1});
             },
             "info pauses changed paused_shards=2 paused_topics=1"},
        Line{"Resharded",
             [](auto& it) {
                 it.resharded({16, 8});
             },
             "info shards changed shards=16 before=8"},
        Line{
            "ShardMade", [](auto& it) { it.shard_made(3); },
            "error somebody deleted a shard from outbox_shards; it is made anew, and recovery reads from the "
            "control topic where it stood shard=3"},
        Line{"OrderViolation", [](auto& it) { it.order_violation({41}); },
             "error the identity of outbox_events.seq stood below the newest event, as after a move of the "
             "database by logical replication; it was moved past it. What was written before this moment may "
             "overtake older events of its key seq=41"},
        Line{"OrderUnchecked", [](auto& it) { it.order_unchecked("why"); },
             "warn not checked: whether numbers of events are given out again reason=\"why\" "
             "mend=\"outbox-migrate up checks it, and takes its time\""},
        Line{"FoundARefusal",
             [](auto& it) {
                 it.found({happened::Gravity::refusal, "o", "w", "m"});
             },
             R"(error nothing is sent until the database is mended object="o" what="w" type="m")"},
        Line{"FoundAnError",
             [](auto& it) {
                 it.found({happened::Gravity::error, "o", "w", "m"});
             },
             R"(error the database is to be mended object="o" what="w" type="m")"},
        Line{"FoundAWarning",
             [](auto& it) {
                 it.found({happened::Gravity::warning, "o", "w", "m"});
             },
             R"(warn to be known of the database object="o" what="w" type="m")"},
        Line{"Mended", [](auto& it) { it.mended("o: m"); }, R"(info the database is mended of="o: m")"},
        Line{"LossyPostgres", [](auto& it) { it.lossy(happened::LossyServer::postgres); },
             "error PostgreSQL loses committed transactions when its machine crashes; the guarantee does not "
             "hold with it setting=\"fsync=off\" mend=\"ALTER SYSTEM SET fsync = on; SELECT "
             "pg_reload_conf()\""},
        Line{"LossyKafka", [](auto& it) { it.lossy(happened::LossyServer::kafka); },
             "error Kafka may forget transactions when brokers fail; the guarantee does not hold with it "
             "topic=\"__transaction_state\" setting=\"unclean.leader.election.enable=true\" "
             "mend=\"kafka-configs.sh --bootstrap-server <broker> --alter --topic __transaction_state "
             "--add-config unclean.leader.election.enable=false\""},
        Line{"LossyUnchecked", [](auto& it) { it.lossy_unchecked("why"); },
             R"(info not checked: how Kafka keeps its transactions reason="why")"},
        Line{"Drains",
             [](auto& it) {
                 it.drains({8, 10s});
             },
             "info relay drains shards=8 timeout_ms=10000"},
        Line{"BeatMissed", [](auto& it) { it.beat_missed("why"); },
             R"(warn no heartbeat while draining reason="why")"},
        Line{"NotDrained",
             [](auto& it) {
                 it.not_drained({3, 5});
             },
             "warn shard not drained shard=3 events_in_flight=5"},
        Line{"NotLeft", [](auto& it) { it.not_left("why"); },
             R"(warn the relays' register was not left reason="why")"},
        Line{"Drained",
             [](auto& it) {
                 it.drained({0, true});
             },
             "info relay drained events_in_flight=0"},
        Line{"DrainedTooLate",
             [](auto& it) {
                 it.drained({5, false});
             },
             "warn relay ends before its shards; recovery settles what was left events_in_flight=5"},
        Line{"GaveUp", [](auto& it) { it.gave_up("why"); }, R"(error relay ends reason="why")"}),
    name_of);

TEST_F(LogObserverTest, ARecoveryThatFoundLossesSaysSo) {
    happened::Recovered recovered{3};
    recovered.emptied = true;
    recovered.seq_moved = true;
    observer().recovered(recovered);
    EXPECT_THAT(
        lines(),
        ElementsAre(
            testing::_,
            "error outbox_events was emptied while its events were at the broker: those are sent and "
            "have no rows any more; other events have their numbers, and are sent as what they are shard=3",
            "warn events that Kafka has were lost by the database; its numbering was moved past them "
            "shard=3"));
}

TEST_F(LogObserverTest, TheWayOfABatchIsNoLine) {
    observer().claimed({});
    observer().built({});
    observer().transaction_ended({});
    observer().marked({});
    observer().state_changed({});
    observer().took_over({});
    EXPECT_THAT(lines(), IsEmpty());
}

TEST_F(LogObserverTest, WhyAShardRecoversIsSaidEverMoreSeldomUntilItHasRecovered) {
    const auto recovers = [&](int shard) { observer().recovers({shard, "why", Cause::passes, 1}); };
    recovers(3);
    recovers(3);
    recovers(4); // speaks for itself
    EXPECT_EQ(lines().size(), 2U);
    now_ += 10s;
    recovers(3);
    EXPECT_EQ(lines().size(), 1U);
    observer().recovered({4});
    lines();
    recovers(3);
    EXPECT_THAT(lines(), IsEmpty());
    observer().recovered({3});
    lines();
    recovers(3);
    EXPECT_EQ(lines().size(), 1U);
    observer().lost({3, "gone", false});
    lines();
    recovers(3);
    EXPECT_EQ(lines().size(), 1U) << "it may be another trouble by now";
}

TEST_F(LogObserverTest, WhyAPipelineRecoversIsSaidEverMoreSeldomUntilItSendsAgain) {
    const auto recovers = [&](int pipeline) {
        observer().pipeline_recovers({pipeline, 8, "why", Cause::passes, 1});
    };
    recovers(3);
    recovers(3);
    recovers(4); // speaks for itself
    EXPECT_EQ(lines().size(), 2U);
    now_ += 10s;
    recovers(3);
    EXPECT_EQ(lines().size(), 1U);
    observer().transaction_ended({.pipeline = 4, .outcome = happened::Outcome::committed});
    observer().transaction_ended({.pipeline = 3, .outcome = happened::Outcome::aborted});
    recovers(3);
    EXPECT_THAT(lines(), IsEmpty());
    observer().transaction_ended({.pipeline = 3, .outcome = happened::Outcome::committed});
    recovers(3);
    EXPECT_EQ(lines().size(), 1U);
}

TEST_F(LogObserverTest, AQuotaIsSaidOnceAMinuteOfEachPipeline) {
    observer().throttled({3, 1ms, 1});
    observer().throttled({3, 1ms, 1});
    observer().throttled({4, 1ms, 1});
    EXPECT_EQ(lines().size(), 2U);
    now_ += 60s;
    observer().throttled({3, 1ms, 1});
    EXPECT_EQ(lines().size(), 1U);
}

TEST_F(LogObserverTest, WhatItWaitsForIsSaidEverMoreSeldomUntilItHasJoined) {
    observer().waits({"why", 1, false});
    observer().waits({"why", 2, false});
    EXPECT_EQ(lines().size(), 1U);
    observer().joined();
    observer().waits({"why", 1, false});
    EXPECT_EQ(lines().size(), 1U);
}

TEST_F(LogObserverTest, AnEventThatIsHeldUpStillIsNoLineMore) {
    observer().held_up({3, "why", true});
    EXPECT_THAT(lines(), IsEmpty());
}

TEST_F(LogObserverTest, AProgramSaysItselfWhyItEnds) {
    LogObserver(false).gave_up("why");
    EXPECT_THAT(lines(), IsEmpty());
}

} // namespace
} // namespace outbox::relay
