#pragma once

#include <outbox/delivery/signal.hpp>

#include <atomic>
#include <mutex>
#include <set>
#include <utility>

namespace outbox::relay {

/// What others tell the loop of one pipeline, and what wakes it. Thread-safe.
class PipelineBell {
public:
    /// The doorbell rang for a bucket that it serves, or it should look again for another reason.
    void ring() {
        rung_ = true;
        signal_.notify();
    }
    /// Old rows have become ready again.
    void look_again() {
        looks_again_ = true;
        ring();
    }
    /// Serve this shard.
    void take(int shard) {
        change([&] {
            wanted_.insert(shard);
            releasing_.erase(shard);
            handing_over_.erase(shard);
        });
    }
    /// The shard is said to be somebody else's: look, and let it go if it is so.
    void doubt(int shard) {
        change([&] { doubted_.insert(shard); });
    }
    /// Claim nothing more of the shard, finish what is in flight, give it back.
    void request_release(int shard) {
        change([&] { releasing_.insert(shard); });
    }
    /// The same of a shard that works, but it stays this relay's: another pipeline goes on with it.
    void request_hand_over(int shard) {
        change([&] { handing_over_.insert(shard); });
    }
    /// Give every shard back, then end.
    void request_end() {
        ending_ = true;
        ring();
    }

    [[nodiscard]] bool rung() const { return rung_; }
    [[nodiscard]] bool ending() const { return ending_; }
    [[nodiscard]] bool releasing(int shard) const {
        const std::lock_guard lock(mutex_);
        return ending_ || releasing_.contains(shard);
    }
    [[nodiscard]] bool hands_over(int shard) const {
        const std::lock_guard lock(mutex_);
        return handing_over_.contains(shard) && !ending_ && !releasing_.contains(shard);
    }
    /// The shard is not served any more: what was wished of it is over.
    void forget(int shard) {
        const std::lock_guard lock(mutex_);
        releasing_.erase(shard);
        handing_over_.erase(shard);
        doubted_.erase(shard);
    }
    ///@{
    /// What it was told since the last call.
    bool take_ring() { return rung_.exchange(false); }
    bool take_look_again() { return looks_again_.exchange(false); }
    std::set<int> take_doubts() {
        const std::lock_guard lock(mutex_);
        return std::exchange(doubted_, {});
    }
    std::set<int> take_wanted() {
        const std::lock_guard lock(mutex_);
        return std::exchange(wanted_, {});
    }
    ///@}
    [[nodiscard]] delivery::Signal& signal() { return signal_; }

private:
    template <class Change>
    void change(Change make) {
        {
            const std::lock_guard lock(mutex_);
            make();
        }
        ring();
    }

    std::atomic<bool> rung_{false};
    std::atomic<bool> looks_again_{false};
    std::atomic<bool> ending_{false};
    mutable std::mutex mutex_;
    std::set<int> wanted_;
    std::set<int> releasing_;
    std::set<int> handing_over_;
    std::set<int> doubted_;
    delivery::Signal signal_;
};

} // namespace outbox::relay
