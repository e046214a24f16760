#pragma once

#include <outbox/core/deadline.hpp>

#include <cstdint>
#include <mutex>
#include <optional>
#include <utility>

namespace outbox::http {

/// Keeps clients from filling the log: so many lines in a period, and then the number of those left out.
/// Thread-safe.
class LogLimit {
public:
    LogLimit(SteadyClock::duration period, int lines) : period_(period), lines_(lines) {}

    /// @return nullopt when the line is to be left out; else how many were left out since the last one.
    [[nodiscard]] std::optional<std::int64_t> admit(SteadyClock::time_point now) {
        const std::lock_guard lock(mutex_);
        if (now - begin_ >= period_) {
            begin_ = now;
            used_ = 0;
        }
        if (used_ >= lines_) {
            ++left_out_;
            return std::nullopt;
        }
        ++used_;
        return std::exchange(left_out_, 0);
    }

private:
    const SteadyClock::duration period_;
    const int lines_;
    std::mutex mutex_;
    SteadyClock::time_point begin_{};
    int used_ = 0;
    std::int64_t left_out_ = 0;
};

} // namespace outbox::http
