#include "node/shares.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace outbox::relay {
namespace {

store::Membership shards(int count) {
    store::Membership membership;
    for (int shard = 0; shard < count; ++shard) {
        membership.shards.push_back({shard, std::nullopt, false, 0});
    }
    return membership;
}

/// Lets every living relay act on the same view until nothing changes. @return rounds it took
int settle(store::Membership& membership, std::map<int, int>& moves, std::int64_t& clock) {
    for (int round = 0; round < 20; ++round) {
        bool changed = false;
        for (const Uuid& relay : membership.alive) {
            const SharePlan plan = plan_shares(relay, membership);
            for (const int shard : plan.release) {
                membership.shards[static_cast<std::size_t>(shard)] = {shard, std::nullopt, false, 0};
                changed = true;
            }
            for (const int shard : plan.take) {
                membership.shards[static_cast<std::size_t>(shard)] = {shard, relay, true, ++clock};
                ++moves[shard];
                changed = true;
            }
        }
        if (!changed) {
            return round;
        }
    }
    return 20;
}

int settle(store::Membership& membership) {
    std::map<int, int> moves;
    std::int64_t clock = 0;
    return settle(membership, moves, clock);
}

std::vector<std::ptrdiff_t> counts(const store::Membership& membership) {
    std::vector<std::ptrdiff_t> owned;
    for (const Uuid& relay : membership.alive) {
        owned.push_back(std::count_if(membership.shards.begin(), membership.shards.end(),
                                      [&](const auto& view) { return view.owner == relay; }));
    }
    std::sort(owned.begin(), owned.end());
    return owned;
}

TEST(Shares, OneRelayTakesAll) {
    auto membership = shards(8);
    membership.alive = {Uuid::random()};
    settle(membership);
    EXPECT_EQ(counts(membership), (std::vector<std::ptrdiff_t>{8}));
}

TEST(Shares, ARollingRestartOfFourRelaysMovesEachShardAtMostTwice) {
    auto membership = shards(8);
    std::map<int, int> moves;
    std::int64_t clock = 0;
    for (int i = 0; i < 4; ++i) {
        membership.alive.push_back(Uuid::random());
    }
    settle(membership, moves, clock);
    moves.clear();
    for (std::size_t i = 0; i < 4; ++i) {
        const Uuid old = membership.alive.front();
        membership.alive.erase(membership.alive.begin());
        for (auto& view : membership.shards) {
            view.owner_alive = view.owner_alive && view.owner != old;
        }
        settle(membership, moves, clock);
        membership.alive.push_back(Uuid::random());
        settle(membership, moves, clock);
    }
    for (const auto& [shard, count] : moves) {
        EXPECT_LE(count, 2) << "shard " << shard;
    }
    EXPECT_EQ(moves.size(), 8U);
}

TEST(Shares, AreEvenAndThenStandStill) {
    std::mt19937 random(7);
    for (int trial = 0; trial < 200; ++trial) {
        auto membership = shards(static_cast<int>(1 + random() % 64));
        const auto relays = 1 + random() % 9;
        for (std::size_t i = 0; i < relays; ++i) {
            membership.alive.push_back(Uuid::random());
        }
        ASSERT_LT(settle(membership), 6);
        const auto owned = counts(membership);
        EXPECT_LE(owned.back() - owned.front(), 1);
        EXPECT_EQ(settle(membership), 0);
    }
}

TEST(Shares, ANewcomerGetsItsShareWithoutMovingMoreThanThat) {
    auto membership = shards(8);
    membership.alive = {Uuid::random(), Uuid::random()};
    settle(membership);
    const auto before = membership.shards;
    membership.alive.push_back(Uuid::random());
    settle(membership);
    int moved = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
        moved += before[i].owner != membership.shards[i].owner ? 1 : 0;
    }
    EXPECT_EQ(moved, 2);
}

TEST(Shares, ADeadOwnersShardsAreFree) {
    auto membership = shards(4);
    membership.alive = {Uuid::random()};
    for (auto& view : membership.shards) {
        view = {view.shard, Uuid::random(), false};
    }
    EXPECT_EQ(plan_shares(membership.alive[0], membership).take.size(), 4U);
}

} // namespace
} // namespace outbox::relay
