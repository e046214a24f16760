#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/delivery/signal.hpp>

namespace outbox::relay {

/// Time, as the loop of a shard sees it, and its waits. A model or a test has one of its own.
class Clock {
public:
    Clock() = default;
    Clock(const Clock&) = delete;
    Clock& operator=(const Clock&) = delete;
    virtual ~Clock() = default;

    [[nodiscard]] virtual SteadyClock::time_point now() const { return SteadyClock::now(); }
    /// Waits for the bell, for so long at most.
    virtual void wait(delivery::Signal& bell, SteadyClock::duration most) { bell.wait(Deadline::in(most)); }
};

} // namespace outbox::relay
