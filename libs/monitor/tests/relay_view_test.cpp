#include "relay_view.hpp"

#include <outbox/metrics/exposition.hpp>

#include <gtest/gtest.h>

namespace outbox::monitor {
namespace {

using relay::ShardState;

class RelayViewTest : public testing::Test {
protected:
    [[nodiscard]] bool has(const std::string& line) const {
        std::vector<metrics::Family> families;
        metrics::Samples samples(families);
        view.sample(samples);
        return ("\n" + metrics::write(families, metrics::Format::text)).find("\n" + line + "\n") !=
               std::string::npos;
    }

    RelayView view;
};

TEST_F(RelayViewTest, AShardIsThereFromItsTakeOverToItsEnd) {
    EXPECT_TRUE(has("outbox_shards_owned 0"));
    view.state_changed({3, 0, ShardState::unowned, ShardState::unowned});
    EXPECT_TRUE(has("outbox_shards_owned 0"));
    EXPECT_TRUE(view.owned().empty());
    view.state_changed({3, 7, ShardState::unowned, ShardState::fencing});
    EXPECT_TRUE(has("outbox_shard_state{shard=\"3\",state=\"fencing\"} 1"));
    EXPECT_TRUE(has("outbox_shard_state{shard=\"3\",state=\"working\"} 0"));
    EXPECT_TRUE(has("outbox_shard_epoch{shard=\"3\"} 7"));
    EXPECT_TRUE(has("outbox_shards_owned 1"));
    EXPECT_EQ(view.owned(), std::set<int>{3});
    view.state_changed({3, 7, ShardState::releasing, ShardState::ended});
    EXPECT_TRUE(has("outbox_shards_owned 0"));
    EXPECT_FALSE(has("outbox_shard_epoch{shard=\"3\"} 7"));
}

TEST_F(RelayViewTest, WhatIsToldOfAShardThatIsGoneMakesNoSeries) {
    view.breaker({5, true, 2});
    view.control_lag({5, 3});
    EXPECT_FALSE(has("outbox_shard_breaker_open{shard=\"5\"} 1"));
    EXPECT_FALSE(has("outbox_control_topic_lag{shard=\"5\"} 3"));
}

TEST_F(RelayViewTest, TopicsBeyondTheHundredthAreCountedTogether) {
    for (int i = 0; i < 130; ++i) {
        view.topic_parked("t" + std::to_string(i));
        view.topic_parked("t" + std::to_string(i));
    }
    EXPECT_TRUE(has("outbox_breaker_open{topic=\"(others)\"} 30"));
    EXPECT_TRUE(has("outbox_breaker_open{topic=\"t0\"} 1"));
    view.topic_takes("t0");
    EXPECT_TRUE(has("outbox_breaker_open{topic=\"(others)\"} 29"));
    EXPECT_FALSE(has("outbox_breaker_open{topic=\"t0\"} 1"));
}

TEST_F(RelayViewTest, TheNumberOfShardsIsToldOnceItIsKnown) {
    EXPECT_FALSE(has("outbox_shards 0"));
    view.has_shards(8);
    EXPECT_TRUE(has("outbox_shards 8"));
}

TEST_F(RelayViewTest, PausesAreCountedByWhatIsPaused) {
    EXPECT_TRUE(has("outbox_paused{scope=\"shard\"} 0"));
    view.pauses_changed({2, 1});
    EXPECT_TRUE(has("outbox_paused{scope=\"shard\"} 2"));
    EXPECT_TRUE(has("outbox_paused{scope=\"topic\"} 1"));
}

TEST_F(RelayViewTest, ALoopIsStillSinceItsLastTurn) {
    const auto begin = SteadyClock::now();
    view.moved({}, begin);
    view.moved({0}, begin + milliseconds(30));
    const auto loops = view.loops(begin + milliseconds(50));
    ASSERT_EQ(loops.size(), 2U);
    EXPECT_EQ(loops[0].name, "relay");
    EXPECT_EQ(loops[0].still, milliseconds(50));
    EXPECT_EQ(loops[1].name, "pipeline 0");
    EXPECT_EQ(loops[1].still, milliseconds(20));
    view.moved({0, true}, begin);
    EXPECT_EQ(view.loops(begin).size(), 1U);
}

} // namespace
} // namespace outbox::monitor
