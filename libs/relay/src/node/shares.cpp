#include "node/shares.hpp"

#include <algorithm>
#include <iterator>
#include <map>

namespace outbox::relay {

SharePlan plan_shares(const Uuid& me, const store::Membership& membership) {
    std::map<Uuid, std::size_t> owned;
    for (const Uuid& relay : membership.alive) {
        owned[relay] = 0;
    }
    std::vector<const store::ShardView*> mine;
    std::vector<int> free;
    for (const store::ShardView& view : membership.shards) {
        if (view.owner == me) {
            mine.push_back(&view);
        }
        if (!view.owner || !view.owner_alive) {
            free.push_back(view.shard);
        } else if (const auto relay = owned.find(*view.owner); relay != owned.end()) {
            ++relay->second;
        }
    }
    std::vector<Uuid> order = membership.alive;
    std::sort(order.begin(), order.end(), [&](const Uuid& a, const Uuid& b) {
        return owned[a] != owned[b] ? owned[a] > owned[b] : a < b;
    });
    const auto place = static_cast<std::size_t>(std::find(order.begin(), order.end(), me) - order.begin());
    if (place == order.size()) {
        return {};
    }
    const std::size_t shards = membership.shards.size();
    const std::size_t share = shards / order.size() + (place < shards % order.size() ? 1 : 0);

    SharePlan plan;
    std::sort(mine.begin(), mine.end(),
              [](const auto* a, const auto* b) { return a->owned_since_us < b->owned_since_us; });
    std::sort(free.begin(), free.end());
    if (mine.size() > share) {
        std::transform(mine.begin() + static_cast<std::ptrdiff_t>(share), mine.end(),
                       std::back_inserter(plan.release), [](const auto* view) { return view->shard; });
    } else if (!free.empty()) {
        const auto wanted = std::min(share - mine.size(), free.size());
        // Relays that start together begin at different shards.
        std::rotate(free.begin(), free.begin() + static_cast<std::ptrdiff_t>(place * share % free.size()),
                    free.end());
        plan.take.assign(free.begin(), free.begin() + static_cast<std::ptrdiff_t>(wanted));
    }
    return plan;
}

} // namespace outbox::relay
