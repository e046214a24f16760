#pragma once

#include "shard/recovery.hpp"
#include "shard/shard_machine.hpp"
#include "shard/troubles.hpp"

#include <atomic>
#include <string>

namespace outbox::relay {

/// One shard of a pipeline, as the pipeline's loop knows it: how far it has got, and what keeps it from
/// getting on. Written by the loop; others read what is atomic or has a lock of its own.
struct Member {
    Member(int number, const Recovery::Settings& settings, ShardSession& session, Brokers& brokers,
           Fencing& fencing, Observer& observer)
        : shard(number),
          recovery(number, settings, session, brokers, fencing, observer) {}

    const int shard;
    ShardMachine machine;
    Recovery recovery;
    Troubles troubles;
    SteadyClock::time_point due{}; ///< when it is looked at again, while it backs off or stands still
    std::string stopped_for;       ///< is to be written to outbox_shards; empty: nothing is
    ShardState told_state = ShardState::unowned; ///< to the observer
    int told_failures = 0;                       ///< the same
    bool rests = false;                          ///< that it is paused is written down
    std::atomic<bool> stands_still{false};

    /// Takes part in claims and transactions.
    [[nodiscard]] bool works() const {
        return machine.state() == ShardState::working || machine.state() == ShardState::resting;
    }
};

} // namespace outbox::relay
