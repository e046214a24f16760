#include "node/outlived.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace outbox::relay {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

/// "topic: events of events since the start"
struct Listener final : Observer {
    void outlived(const happened::Outlived& outlived) override {
        heard.push_back(std::string(outlived.topic) + ": " + std::to_string(outlived.events) + " of " +
                        std::to_string(outlived.events_since_start));
    }
    std::vector<std::string> heard;
};

class OutlivedTopics : public testing::Test {
protected:
    std::vector<std::string> told(SteadyClock::time_point at) {
        outlived_.tell(at);
        return std::exchange(listener_.heard, {});
    }

    Listener listener_;
    Outlived outlived_{listener_};
    SteadyClock::time_point now_ = SteadyClock::now();
};

TEST_F(OutlivedTopics, TellsOfATopicAtMostEveryTenSeconds) {
    outlived_.add("a", 2);
    outlived_.add("a", 3);
    outlived_.add("b", 1);
    EXPECT_THAT(told(now_), ElementsAre("a: 5 of 6", "b: 1 of 6"));
    outlived_.add("a", 7);
    EXPECT_THAT(told(now_ + 9s), IsEmpty());
    EXPECT_THAT(told(now_ + 10s), ElementsAre("a: 7 of 13"));
    EXPECT_THAT(told(now_ + 30s), IsEmpty());
}

TEST_F(OutlivedTopics, NamesTwentyTopicsAtMost) {
    for (int i = 0; i < 50; ++i) {
        outlived_.add(std::to_string(i), 1);
    }
    EXPECT_THAT(told(now_), SizeIs(21));
}

} // namespace
} // namespace outbox::relay
