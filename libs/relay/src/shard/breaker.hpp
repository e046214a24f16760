#pragma once

#include <outbox/delivery/retry_policy.hpp>

#include <deque>

namespace outbox::relay {

/// Paces the recoveries of one shard, and gives up where going on helps nobody. No clock of its own.
class Breaker {
public:
    using Time = SteadyClock::time_point;

    enum class Cause {
        passes,          ///< by itself, mostly
        asks_for_a_hand, ///< what the database refuses, somebody has to give back
        refused ///< brokers refuse this client, as with a wrong password: they are asked ever more rarely
    };

    /// A recovery, or what came after it, failed. @return how many in a row
    int failed(Cause cause = Cause::passes) {
        cause_ = cause;
        return ++failures_;
    }
    /// A batch was sent, or refused by its own fault.
    void answered() { failures_ = 0; }
    /// In a row.
    [[nodiscard]] int failures() const noexcept { return failures_; }
    [[nodiscard]] bool refused() const noexcept { return cause_ == Cause::refused; }
    /// Before the next recovery. @param dice  uniform in [0, 1)
    [[nodiscard]] milliseconds wait(double dice) const;

    /// Another producer took this shard's lanes while it still was the owner.
    /// @return whether that is too often: two deployments under one name would fence each other for ever
    [[nodiscard]] bool fenced_too_often(Time now);

private:
    int failures_ = 0;
    Cause cause_ = Cause::passes;
    std::deque<Time> fencings_; ///< of the last minute
};

} // namespace outbox::relay
