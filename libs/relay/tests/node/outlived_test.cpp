#include "node/outlived.hpp"

#include <outbox/telemetry/log.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace outbox::relay {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class OutlivedTest : public testing::Test {
protected:
    OutlivedTest() {
        log::configure(settings_, "test",
                       [this](log::Level, std::string_view line) { lines_.emplace_back(line); });
    }
    void TearDown() override { log::configure(settings_, "test"); } // the lines go

    std::vector<std::string> told(SteadyClock::time_point at) {
        outlived_.tell(at);
        return std::exchange(lines_, {});
    }

    Settings settings_ =
        Settings::load(Program::relay, {}, [](const char*) -> const char* { return nullptr; });
    Outlived outlived_;
    SteadyClock::time_point now_ = SteadyClock::now();
    std::vector<std::string> lines_;
};

TEST_F(OutlivedTest, SaysALineATopicAtMostEveryTenSeconds) {
    outlived_.add("a", 2);
    outlived_.add("a", 3);
    outlived_.add("b", 1);
    EXPECT_THAT(told(now_), ElementsAre(AllOf(HasSubstr("topic=\"a\""), HasSubstr("events=5")),
                                        AllOf(HasSubstr("topic=\"b\""), HasSubstr("events=1"))));
    outlived_.add("a", 7);
    EXPECT_THAT(told(now_ + 9s), IsEmpty());
    EXPECT_THAT(told(now_ + 10s),
                ElementsAre(AllOf(HasSubstr("events=7"), HasSubstr("events_since_start=13"))));
    EXPECT_THAT(told(now_ + 30s), IsEmpty());
}

TEST_F(OutlivedTest, NamesTwentyTopicsAtMost) {
    for (int i = 0; i < 50; ++i) {
        outlived_.add(std::to_string(i), 1);
    }
    EXPECT_THAT(told(now_), SizeIs(21));
}

} // namespace
} // namespace outbox::relay
