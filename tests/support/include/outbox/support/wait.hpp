#pragma once

#include <chrono>
#include <functional>

namespace outbox::support {

/// Asks again and again. @return false at the deadline.
bool wait_until(const std::function<bool()>& condition,
                std::chrono::milliseconds limit = std::chrono::seconds(20));
/// How long until it holds. @return `limit` when it never does.
std::chrono::milliseconds time_until(const std::function<bool()>& condition, std::chrono::milliseconds limit);
/// Lets time go by; only where the quiet itself is the subject.
void stay_quiet(std::chrono::milliseconds span);

} // namespace outbox::support
