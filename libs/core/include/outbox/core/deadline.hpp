#pragma once

#include <algorithm>
#include <chrono>

namespace outbox {

using SteadyClock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// A moment on the steady clock by which a blocking call must have returned. Cheap to copy.
class Deadline {
public:
    /// From now on.
    [[nodiscard]] static Deadline in(SteadyClock::duration span) {
        return Deadline(SteadyClock::now() + span);
    }
    /// At that moment.
    [[nodiscard]] static Deadline at(SteadyClock::time_point moment) { return Deadline(moment); }

    /// The moment itself, for waits that take one.
    [[nodiscard]] SteadyClock::time_point time() const noexcept { return moment_; }
    /// True from the moment on.
    [[nodiscard]] bool passed() const noexcept { return SteadyClock::now() >= moment_; }

    /// Time left, never negative, rounded up so that a wait for it does not end too early.
    [[nodiscard]] milliseconds left() const noexcept {
        const auto span = std::chrono::ceil<milliseconds>(moment_ - SteadyClock::now());
        return std::max(span, milliseconds::zero());
    }

    /// The earlier of this deadline and one that lies `span` ahead.
    [[nodiscard]] Deadline at_most(SteadyClock::duration span) const {
        return Deadline(std::min(moment_, SteadyClock::now() + span));
    }

private:
    explicit Deadline(SteadyClock::time_point moment) : moment_(moment) {}

    SteadyClock::time_point moment_;
};

} // namespace outbox
