#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/store/shard_database.hpp>

#include <cstdint>
#include <deque>
#include <span>
#include <string>

namespace outbox::relay {

/// The keys of one pipeline's shards of which an event waits for a retry or an operator: their later events
/// are held aside until they need wait no more, and then sent in turns with those that never waited. No clock
/// of its own.
class WaitingKeys {
public:
    using Time = SteadyClock::time_point;

    /// After a recovery everything is looked up again.
    void reset();
    /// Rows were written back that wait.
    void rows_wait();
    /// Followers of a row may need wait no more.
    void look_soon() { next_look_ = {}; }
    /// @return whether there may be something to claim for what waits
    bool saw(const store::Peek& seen);

    [[nodiscard]] bool look_due(Time now) const { return now >= next_look_; }
    /// Holds later events of blocked keys aside, and notes keys that need wait no more for the next claims.
    /// @param in_flight  seqs that stay where they are
    void tend(store::ShardDatabase& database, const store::Ownerships& ownerships,
              std::span<const std::int64_t> in_flight, Time now);

    /// Ready rows and waiting ones take turns: neither keeps the other from being sent.
    store::RowSet claim(store::ShardTurn& turn, const store::ClaimLimits& limits,
                        std::span<const std::int64_t> in_flight, std::span<const std::string> parked_topics);

private:
    bool some_wait_ = false;             ///< rows wait or keys are blocked, as far as is known
    bool ready_first_ = false;           ///< the last claim took waiting rows
    std::deque<store::BlockedKey> free_; ///< whose held rows need wait no more
    Time next_look_{};
};

} // namespace outbox::relay
