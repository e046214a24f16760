#include <outbox/core/deadline.hpp>
#include <outbox/support/wait.hpp>

#include <poll.h>

#include <thread>

namespace outbox::support {

bool wait_until(const std::function<bool()>& condition, std::chrono::milliseconds limit) {
    const Deadline deadline = Deadline::in(limit * slowness);
    while (!condition()) {
        if (deadline.passed()) {
            return false;
        }
        poll(nullptr, 0, 5);
    }
    return true;
}

std::chrono::milliseconds time_until(const std::function<bool()>& condition,
                                     std::chrono::milliseconds limit) {
    const auto start = SteadyClock::now();
    wait_until(condition, limit);
    return std::chrono::duration_cast<milliseconds>(SteadyClock::now() - start);
}

void stay_quiet(std::chrono::milliseconds span) {
    std::this_thread::sleep_for(span);
}

} // namespace outbox::support
