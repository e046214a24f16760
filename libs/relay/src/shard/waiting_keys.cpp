#include "shard/waiting_keys.hpp"

#include <utility>

namespace outbox::relay {
namespace {

constexpr std::chrono::seconds pace{1};

} // namespace

void WaitingKeys::reset() {
    next_look_ = {};
    free_.clear();
}

void WaitingKeys::rows_wait() {
    next_look_ = {};
    some_wait_ = true;
}

bool WaitingKeys::saw(const store::Peek& seen) {
    some_wait_ = some_wait_ || seen.blocked || seen.next_attempt;
    const bool due = seen.next_attempt && seen.next_attempt->count() == 0;
    return due || !free_.empty();
}

void WaitingKeys::tend(store::ShardDatabase& database, const store::Ownerships& ownerships,
                       std::span<const std::int64_t> in_flight, Time now) {
    next_look_ = now + pace;
    free_.clear();
    const auto buckets = database.waiting_buckets();
    some_wait_ = !buckets.empty();
    for (const int bucket : buckets) {
        const auto turn = database.begin(ownerships);
        if (turn->hold_followers(bucket, in_flight) == store::hold_limit) {
            next_look_ = {}; // there are more
        }
        const auto free = turn->sort_blocked(bucket);
        turn->commit();
        free_.insert(free_.end(), free.begin(), free.end());
    }
}

store::RowSet WaitingKeys::claim(store::ShardTurn& turn, const store::ClaimLimits& limits,
                                 std::span<const std::int64_t> in_flight,
                                 std::span<const std::string> parked_topics) {
    store::RowSet claimed;
    if (!some_wait_ || std::exchange(ready_first_, false)) {
        claimed = turn.claim(limits, in_flight, parked_topics);
        if (!some_wait_ || !claimed.empty()) {
            return claimed;
        }
    }
    claimed = turn.claim_due(parked_topics);
    while (claimed.empty() && !free_.empty()) {
        claimed = turn.claim_held(free_.front(), limits, parked_topics);
        if (claimed.empty()) {
            free_.pop_front();
        }
    }
    if (claimed.empty()) {
        return turn.claim(limits, in_flight, parked_topics);
    }
    ready_first_ = true;
    return claimed;
}

} // namespace outbox::relay
