#include "judge.hpp"
#include "murmur2.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <deque>

namespace checker {
namespace {

constexpr std::int32_t partitions = 6;

/// A table and a topic that agree; each test then spoils one thing.
class CheckerJudge : public testing::Test {
protected:
    struct Event {
        std::string id;
        std::string key;
        std::string data;
        Row row;
        Record record;
    };

    CheckerJudge() {
        std::array<std::int64_t, partitions> ends{};
        for (int n = 0; n < 12; ++n) {
            auto& event = events_.emplace_back();
            event.id = fmt::format("00000000-0000-7000-8000-{:012x}", n);
            event.key = fmt::format("key-{}", n % 3);
            event.data = fmt::format("{{\"n\": {}}}", n);
            const auto partition = java_partition(event.key, partitions);
            const auto offset = ends[static_cast<std::size_t>(partition)]++;
            event.row = {.id = EventId::parse(event.id).value(),
                         .rank = n + 1,
                         .status = "SENT",
                         .topic = "events",
                         .key = event.key,
                         .type = "made",
                         .data = event.data,
                         .partition = partition,
                         .offset = offset,
                         .processed = true};
            event.record = {.topic = "events",
                            .partition = partition,
                            .offset = offset,
                            .id = event.id,
                            .key = event.key,
                            .value = event.data,
                            .type = "made"};
        }
    }

    Judge judge_all(Rules rules = {}) {
        Judge judge(rules);
        judge.set_partitions("events", partitions);
        for (const auto& event : events_) {
            judge.add(event.row);
        }
        for (const auto& event : events_) {
            judge.add(event.record);
        }
        return judge;
    }

    std::string verdict(Rules rules = {}) { return judge_all(rules).verdict().line(); }

    std::deque<Event> events_; // a deque never moves its elements: the views stay good
};

std::string line(int sent, const std::string& faults) {
    return fmt::format("events=12 sent={} {}", sent, faults);
}

TEST_F(CheckerJudge, WhatAgreesIsClean) {
    auto result = judge_all().verdict();
    EXPECT_EQ(result.line(), line(12, "lost=0 repeated=0 misordered=0 phantom=0 wrong=0"));
    EXPECT_TRUE(result.clean());
}

TEST_F(CheckerJudge, ASentRowWithoutARecordIsLost) {
    Judge judge({});
    for (const auto& event : events_) {
        judge.add(event.row);
    }
    for (std::size_t i = 0; i < events_.size(); ++i) {
        if (i != 5) {
            judge.add(events_[i].record);
        }
    }
    const auto result = judge.verdict();
    EXPECT_EQ(result.line(), line(12, "lost=1 repeated=0 misordered=0 phantom=0 wrong=0"));
    EXPECT_FALSE(result.clean());
    EXPECT_NE(result.findings.at(Kind::lost).first.at(0).find(events_[5].id), std::string::npos);
}

TEST_F(CheckerJudge, ASecondCopyIsRepeatedWhereverItStands) {
    auto judge = judge_all();
    auto copy = events_[4].record;
    copy.offset = 100;
    judge.add(copy);
    copy.partition = (copy.partition + 1) % partitions;
    judge.add(copy);
    EXPECT_EQ(judge.verdict().line(), line(12, "lost=0 repeated=2 misordered=0 phantom=0 wrong=0"));
}

TEST_F(CheckerJudge, TwoEventsOfOneKeyInTheWrongOrderAreMisordered) {
    for (const auto i : {3U, 6U}) { // both of key-0; places in the rows follow the records
        events_[i].row.partition.reset();
        events_[i].row.offset.reset();
    }
    std::swap(events_[3].record.id, events_[6].record.id);
    std::swap(events_[3].record.value, events_[6].record.value);
    EXPECT_EQ(verdict(), line(12, "lost=0 repeated=0 misordered=1 phantom=0 wrong=0"));
}

TEST_F(CheckerJudge, TwoKeysMayPassEachOther) {
    Judge judge({});
    for (const auto& event : events_) {
        judge.add(event.row);
    }
    for (const std::size_t key : {2U, 0U, 1U}) {
        for (std::size_t i = key; i < events_.size(); i += 3) {
            judge.add(events_[i].record);
        }
    }
    EXPECT_TRUE(judge.verdict().clean());
}

TEST_F(CheckerJudge, AKeyInTwoPartitionsHasNoOrder) {
    auto& event = events_[9];
    event.record.partition = (event.record.partition + 1) % partitions;
    event.row.partition = event.record.partition;
    EXPECT_EQ(verdict({.murmur2 = false}), line(12, "lost=0 repeated=0 misordered=1 phantom=0 wrong=0"));
}

TEST_F(CheckerJudge, ARecordWhoseIdNoRowHasIsAPhantom) {
    auto judge = judge_all();
    auto record = events_[0].record;
    record.id = "00000000-0000-7000-8000-ffffffffffff";
    judge.add(record);
    EXPECT_EQ(judge.verdict().line(), line(12, "lost=0 repeated=0 misordered=0 phantom=1 wrong=0"));
}

TEST_F(CheckerJudge, ARecordWithoutAnIdIsAPhantom) {
    auto judge = judge_all();
    auto record = events_[0].record;
    record.id.reset();
    judge.add(record);
    record.id = "who knows";
    judge.add(record);
    EXPECT_EQ(judge.verdict().line(), line(12, "lost=0 repeated=0 misordered=0 phantom=2 wrong=0"));
}

TEST_F(CheckerJudge, ARecordWhoseRowCameLaterIsForgivenButNotItsCopies) {
    auto judge = judge_all();
    auto record = events_[0].record;
    record.id = "00000000-0000-7000-8000-ffffffffffff";
    judge.add(record);
    judge.add(record);
    ASSERT_EQ(judge.strangers().size(), 1U);
    judge.forgive(judge.strangers().front());
    EXPECT_EQ(judge.verdict().line(), line(12, "lost=0 repeated=1 misordered=0 phantom=0 wrong=0"));
}

TEST_F(CheckerJudge, ARowThatNamesAnotherPlaceIsWrong) {
    events_[1].row.partition = (*events_[1].row.partition + 1) % partitions;
    events_[2].row.offset = 77;
    events_[3].row.topic = "elsewhere";
    EXPECT_EQ(verdict(), line(12, "lost=0 repeated=0 misordered=0 phantom=0 wrong=3"));
}

TEST_F(CheckerJudge, APartitionTheJavaClientWouldNotChooseIsWrongUnlessSwitchedOff) {
    for (auto& event : events_) {
        event.record.partition = (event.record.partition + 1) % partitions;
        event.row.partition = event.record.partition;
    }
    EXPECT_EQ(verdict(), line(12, "lost=0 repeated=0 misordered=0 phantom=0 wrong=12"));
    EXPECT_EQ(verdict({.murmur2 = false}), line(12, "lost=0 repeated=0 misordered=0 phantom=0 wrong=0"));
}

TEST_F(CheckerJudge, AnotherKeyOrTypeIsWrong) {
    events_[1].record.key = "another";
    events_[2].record.key.reset();
    events_[3].record.type = "unmade";
    EXPECT_EQ(verdict({.murmur2 = false}), line(12, "lost=0 repeated=0 misordered=0 phantom=0 wrong=3"));
}

TEST_F(CheckerJudge, AnotherValueIsWrongUnlessSomebodyVouchesForIt) {
    events_[1].record.value = "{\"n\":1}";
    events_[2].record.value.reset();
    EXPECT_EQ(verdict(), line(12, "lost=0 repeated=0 misordered=0 phantom=0 wrong=2"));
    auto judge = judge_all();
    const auto doubts = judge.take_doubts();
    ASSERT_EQ(doubts.size(), 1U);
    EXPECT_EQ(doubts[0].value, "{\"n\":1}");
    EXPECT_EQ(doubts[0].id, events_[1].row.id);
    EXPECT_EQ(judge.verdict().count(Kind::wrong), 1U) << "the missing value remains";
}

TEST_F(CheckerJudge, UnsentRowsAreJudgedOnlyWhenNothingMoves) {
    events_[1].row.status = "";
    events_[2].row.status = "NEW";
    events_[3].row.status = "PROCESSING";
    EXPECT_EQ(verdict(), line(9, "lost=0 repeated=0 misordered=0 phantom=0 wrong=0"));
    EXPECT_EQ(judge_all().verdict().unsent, 3U);
    EXPECT_EQ(verdict({.final = true}), line(9, "lost=0 repeated=0 misordered=0 phantom=0 wrong=3"));
}

TEST_F(CheckerJudge, GivenUpRowsMustNotBeInKafka) {
    events_[1].row.status = "SKIPPED";
    events_[2].row.status = "FAILED";
    events_[3].row.status = "LOST?";
    EXPECT_EQ(verdict({.allow_failed = true}), line(9, "lost=0 repeated=0 misordered=0 phantom=0 wrong=3"));
    EXPECT_EQ(verdict(), line(9, "lost=0 repeated=0 misordered=0 phantom=0 wrong=4")) << "FAILED itself";
}

TEST_F(CheckerJudge, ASentRowNeedsItsTimeAndAWholePlaceOrNone) {
    events_[1].row.processed = false;
    events_[2].row.offset.reset();
    events_[3].row.partition.reset();
    events_[4].row.partition.reset();
    events_[4].row.offset.reset();
    const auto result = judge_all().verdict();
    EXPECT_EQ(result.line(), line(12, "lost=0 repeated=0 misordered=0 phantom=0 wrong=3"));
    EXPECT_EQ(result.unplaced, 1U);
}

TEST_F(CheckerJudge, AnAcknowledgedCommitThatTheTableLacksIsLost) {
    auto judge = judge_all();
    judge.expect(events_[0].row.id);
    judge.expect(EventId::parse("00000000-0000-7000-8000-ffffffffffff").value());
    EXPECT_EQ(judge.verdict().line(), line(12, "lost=1 repeated=0 misordered=0 phantom=0 wrong=0"));
}

TEST_F(CheckerJudge, ManyFindingsAreCountedAndTheFirstTwentyKept) {
    auto judge = judge_all();
    for (int copy = 0; copy < 50; ++copy) {
        judge.add(events_[0].record);
    }
    const auto result = judge.verdict();
    EXPECT_EQ(result.count(Kind::repeated), 50U);
    EXPECT_EQ(result.findings.at(Kind::repeated).first.size(), Findings::kept);
}

} // namespace
} // namespace checker
