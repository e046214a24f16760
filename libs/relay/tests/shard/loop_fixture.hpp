#pragma once

#include "fakes.hpp"
#include "shard/pipeline_loop.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <set>

namespace outbox::relay {

/// The loop as it is, stepped by hand, without servers.
class LoopTest : public testing::Test {
protected:
    /// @param shards  that it is told to serve
    explicit LoopTest(std::set<int> shards) : shards_(std::move(shards)), options_(fakes::options()) {
        identity_.outbox_id = Uuid::random();
    }

    PipelineLoop& loop() {
        if (!loop_) {
            auto publisher = fakes::publisher(kafka_);
            publisher.wait_without_thread = [this] { loop_->publisher().work(); };
            loop_.emplace(
                PipelineLoop::Settings{Uuid::random(), identity_, returns_, [this] { ++told_gone_; }},
                Work::Settings{0, shard_count, options_, identity_.outbox_id, pauses_, budget_, outlived_},
                Seams{session_, kafka_, topics_, identities_, clock_, observer_}, std::move(publisher));
            for (const int shard : shards_) {
                loop_->bell().take(shard);
            }
        }
        return *loop_;
    }
    testing::AssertionResult until(const std::function<bool()>& there) {
        constexpr int patience = 200;
        for (int i = 0; i < patience; ++i) {
            if (there()) {
                return testing::AssertionSuccess();
            }
            step();
        }
        testing::AssertionResult result = testing::AssertionFailure() << "shards are in state";
        for (const int shard : shards_) {
            const auto now = loop().state(shard);
            result << " " << (now ? static_cast<int>(*now) : -1);
        }
        return result;
    }
    testing::AssertionResult until(int shard, ShardState state) {
        return until([this, shard, state] { return loop().state(shard) == state; });
    }
    testing::AssertionResult until_marked(int shard, std::int64_t batch) {
        return until([this, shard, batch] { return database().marked(shard) == batch; });
    }
    void step() {
        loop().step();
        loop().publisher().work();
    }
    void steps(int count) {
        for (int i = 0; i < count; ++i) {
            step();
        }
    }
    /// All work, and their first manifests are marked.
    void be_at_work() {
        for (const int shard : shards_) {
            ASSERT_TRUE(until_marked(shard, 1));
        }
        steps(2);
        forget();
    }
    /// What was called.
    void forget() {
        database().calls.clear();
        kafka_.calls.clear();
        kafka_.sent.clear();
    }
    fakes::Database& database() { return session_.fake; }

    static constexpr int shard_count = 4;
    const std::set<int> shards_;
    RelayOptions options_;
    store::Identity identity_;
    std::atomic<unsigned> returns_{0};
    Pauses pauses_;
    delivery::ClaimBudget budget_{1U << 20U};
    Observer observer_;
    Outlived outlived_{observer_};
    fakes::Session session_;
    fakes::Kafka kafka_;
    fakes::Topics topics_;
    fakes::Identities identities_;
    fakes::Time clock_;
    int told_gone_ = 0;
    std::optional<PipelineLoop> loop_;
};

} // namespace outbox::relay
