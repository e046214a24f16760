#include <outbox/backfill/position.hpp>

#include <gtest/gtest.h>

namespace outbox::backfill {
namespace {

const Uuid run = *Uuid::parse("00000000-0000-4000-8000-000000000001");
const Uuid other = *Uuid::parse("00000000-0000-4000-8000-000000000002");

kafka::ControlTail tail_of(std::vector<std::string> values) {
    kafka::ControlTail tail;
    for (auto& value : values) {
        tail.records.push_back({tail.high_watermark++, std::move(value)});
    }
    return tail;
}

std::string reason_of(const kafka::ControlTail& tail, std::int64_t begins = 0, std::int64_t published = 0) {
    const auto plan = plan_resume(run, 2, begins, published, tail);
    const auto* cannot = std::get_if<CannotResume>(&plan);
    return cannot == nullptr ? "goes on" : cannot->reason;
}

TEST(Position, IsReadAsItWasWritten) {
    const ControlEntry entry{run, 3, {7, 900, 800, 450}};
    EXPECT_EQ(decode(encode(entry)), entry);
}

TEST(Position, WhatWasNotWrittenHereIsNotRead) {
    const std::string good = encode({run, 3, {7, 900, 800, 450}});
    for (const std::string& bad :
         {std::string(), "2" + good.substr(1), good + " 1", good.substr(0, good.size() - 4),
          std::string("1 nobody 1 1 1 1 1"), good.substr(0, good.size() - 1) + "x"}) {
        EXPECT_EQ(decode(bad), std::nullopt) << bad;
    }
}

TEST(Position, ARunGoesOnFromTheNewestRecordOfEachLane) {
    const auto plan =
        plan_resume(run, 2, 0, 30,
                    tail_of({encode({run, 0, {1, 100, 0, 10}}), encode({other, 1, {9, 999, 999, 99}}),
                             encode({run, 1, {1, 100, 0, 15}}), encode({run, 0, {2, 200, 100, 20}})}));
    const auto& resume = std::get<Resume>(plan);
    EXPECT_EQ(resume.lanes[0].through, 200);
    EXPECT_EQ(resume.lanes[1].through, 100);
    EXPECT_EQ(resume.published(), 35);
    EXPECT_EQ(resume.settled(), 100);
}

TEST(Position, ARunWithoutRecordsBeginsAtTheBeginning) {
    const auto plan = plan_resume(run, 2, 0, 0, tail_of({}));
    EXPECT_EQ(std::get<Resume>(plan).settled(), 0);
}

TEST(Position, ARunDoesNotGoOnFromAControlTopicThatLostIt) {
    EXPECT_NE(reason_of(tail_of({}), 5), "goes on") << "the topic is younger than the run";
    kafka::ControlTail cut = tail_of({});
    cut.first_offset = cut.high_watermark = 9;
    EXPECT_NE(reason_of(cut, 5), "goes on") << "its beginning is gone";
    EXPECT_NE(reason_of(tail_of({encode({run, 0, {1, 100, 0, 10}})}), 0, 11), "goes on")
        << "it knows less than was known";
    EXPECT_NE(reason_of(tail_of({"?"})), "goes on");
    EXPECT_NE(reason_of(tail_of({encode({run, 2, {1, 100, 0, 10}})})), "goes on") << "a lane too many";
    EXPECT_EQ(reason_of(tail_of({encode({run, 0, {1, 100, 0, 10}})}), 0, 10), "goes on");
}

} // namespace
} // namespace outbox::backfill
