#pragma once

#include <outbox/core/deadline.hpp>

#include <condition_variable>
#include <mutex>
#include <utility>

namespace outbox::delivery {

/// Wakes the loop of one shard: something came that it should look at. Thread-safe.
class Signal {
public:
    /// Wakes whoever waits, or lets the next wait return at once. Ringing twice is as good as once.
    void notify() {
        const std::lock_guard lock(mutex_);
        rung_ = true;
        bell_.notify_all();
    }

    /// Waits for notify() or the deadline; takes the ring away. @return whether it rang.
    bool wait(Deadline deadline) {
        std::unique_lock lock(mutex_);
        bell_.wait_until(lock, deadline.time(), [this] { return rung_; });
        return std::exchange(rung_, false);
    }

private:
    std::mutex mutex_;
    std::condition_variable bell_;
    bool rung_ = false;
};

} // namespace outbox::delivery
