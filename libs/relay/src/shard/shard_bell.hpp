#pragma once

#include <outbox/delivery/signal.hpp>

#include <atomic>

namespace outbox::relay {

/// What others tell the loop of one shard, and what wakes it. Thread-safe.
class ShardBell {
public:
    /// The doorbell rang for a bucket of this shard, or it should look again for another reason.
    void ring() {
        rung_ = true;
        signal_.notify();
    }
    /// Old rows have become ready again.
    void look_again() {
        looks_again_ = true;
        ring();
    }
    /// The shard is said to be somebody else's: look, and end if it is so.
    void doubt() {
        doubted_ = true;
        ring();
    }
    /// Claim nothing more, finish what is in flight, give the shard back, end.
    void request_release() {
        release_ = true;
        signal_.notify();
    }

    [[nodiscard]] bool rung() const { return rung_; }
    [[nodiscard]] bool releasing() const { return release_; }
    ///@{
    /// Whether it was told so since the last call.
    bool take_ring() { return rung_.exchange(false); }
    bool take_look_again() { return looks_again_.exchange(false); }
    bool take_doubt() { return doubted_.exchange(false); }
    ///@}
    [[nodiscard]] delivery::Signal& signal() { return signal_; }

private:
    std::atomic<bool> rung_{false};
    std::atomic<bool> looks_again_{false};
    std::atomic<bool> doubted_{false};
    std::atomic<bool> release_{false};
    delivery::Signal signal_;
};

} // namespace outbox::relay
