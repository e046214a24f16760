#pragma once

#include <outbox/core/deadline.hpp>

#include <string>

namespace outbox::relay {

/// Decides when a reason that lasts is worth another line in the log: a new one at once, the same one after
/// 10 s, then 20 s, 40 s, ... up to ten minutes. No clock of its own.
class Repetition {
public:
    /// @param reason  numbers in it do not make it another one
    bool worth_saying(const std::string& reason, SteadyClock::time_point now);

    /// It is over: the next one is new.
    void over() { said_.clear(); }

private:
    std::string said_;
    SteadyClock::time_point next_{};
    SteadyClock::duration pause_{};
};

} // namespace outbox::relay
