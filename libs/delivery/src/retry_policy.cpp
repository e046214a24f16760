// How long to wait before the next attempt: doubled each time up to a limit, less a random part of up
// to a half, so that a thousand events that failed together do not all come back together.

#include "outbox/delivery/retry_policy.hpp"

#include <algorithm>
#include <random>

namespace outbox::delivery {

milliseconds Backoff::after(int failures, double dice) const {
    const int doublings = std::clamp(failures - 1, 0, 30);
    const auto full = std::min<std::int64_t>(most_.count(), first_.count() << doublings);
    return milliseconds(full - static_cast<std::int64_t>(static_cast<double>(full) * dice / 2));
}

store::FailedAttempt next_attempt(const store::Row& row, std::int32_t default_max_retries, std::string error,
                                  double dice) {
    static const Backoff waits(milliseconds(1'000), milliseconds(60'000));
    store::FailedAttempt attempt;
    attempt.seq = row.seq;
    attempt.bucket = row.bucket;
    attempt.id = row.id;
    attempt.retry_count = row.retry_count + 1;
    attempt.give_up = attempt.retry_count >= row.max_retries.value_or(default_max_retries);
    attempt.wait = waits.after(attempt.retry_count, dice);
    attempt.error = std::move(error);
    return attempt;
}

double dice() {
    thread_local std::minstd_rand engine(std::random_device{}());
    return std::uniform_real_distribution<double>(0, 1)(engine);
}

} // namespace outbox::delivery
