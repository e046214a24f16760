#pragma once

#include <outbox/store/relays.hpp>

#include <mutex>
#include <utility>
#include <vector>

namespace outbox::relay {

/// What operators have paused, as the newest heartbeat saw it; shared by the shards of one relay.
/// Thread-safe.
class Pauses {
public:
    /// @return whether anything changed.
    bool update(store::Pauses seen) {
        const std::lock_guard lock(mutex_);
        return std::exchange(now_, std::move(seen)) != now_;
    }

    [[nodiscard]] bool has_shard(int shard) const {
        const std::lock_guard lock(mutex_);
        return now_.shards.contains(shard);
    }

    [[nodiscard]] std::vector<std::string> topics() const {
        const std::lock_guard lock(mutex_);
        return {now_.topics.begin(), now_.topics.end()};
    }

private:
    mutable std::mutex mutex_;
    store::Pauses now_;
};

} // namespace outbox::relay
