#pragma once

#include <algorithm>
#include <chrono>
#include <ctime>
#include <functional>

namespace outbox::http {

/// Processor time of this thread for `work`, the least of several rounds: others use the machine, too.
inline std::chrono::nanoseconds cost_of(const std::function<void()>& work) {
    const auto now = [] {
        timespec time{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
    };
    auto least = std::chrono::nanoseconds::max();
    for (int round = 0; round < 5; ++round) {
        const auto begin = now();
        work();
        least = std::min(least, std::chrono::nanoseconds(now() - begin));
    }
    return least;
}

/// How many times as much eight times the input costs: about 8 where the cost is linear, 64 where it is
/// quadratic.
/// @param work  does it with an input of so many bytes.
inline double growth_of_cost(const std::function<void(std::size_t)>& work, std::size_t bytes) {
    const auto small = cost_of([&] { work(bytes); });
    const auto large = cost_of([&] { work(8 * bytes); });
    return static_cast<double>(large.count()) / static_cast<double>(std::max(small.count(), 1L));
}

} // namespace outbox::http
