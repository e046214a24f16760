#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/store/shard.hpp>

#include <cstdint>
#include <string>

namespace outbox::delivery {

/// Exponential backoff with jitter, capped. No I/O.
class Backoff {
public:
    Backoff(milliseconds first, milliseconds most) : first_(first), most_(most) {}

    /// Wait after the n-th failure in a row (n >= 1): first * 2^(n-1), at most `most`, less up to a half of
    /// it.
    /// @param dice  uniform in [0, 1)
    [[nodiscard]] milliseconds after(int failures, double dice) const;

private:
    milliseconds first_;
    milliseconds most_;
};

/// What becomes of a row that could not be sent for a reason of its own.
/// @param default_max_retries  counts where the row holds NULL
store::FailedAttempt next_attempt(const store::Row& row, std::int32_t default_max_retries, std::string error,
                                  double dice);

/// Uniform in [0, 1). Thread-safe.
double dice();

} // namespace outbox::delivery
