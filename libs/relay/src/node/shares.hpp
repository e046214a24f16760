#pragma once

#include <outbox/store/relays.hpp>

#include <vector>

namespace outbox::relay {

/// What one relay does about the shards after a look at the others.
struct SharePlan {
    std::vector<int> take;    ///< free, or a dead relay's; try in this order
    std::vector<int> release; ///< over this relay's share, those that it has had for the shortest time
};

/// Every relay computes the same shares from the same view: they differ by at most one shard, those that own
/// more keep the larger shares, and nothing moves while the shares are even. No I/O.
SharePlan plan_shares(const Uuid& me, const store::Membership& membership);

} // namespace outbox::relay
