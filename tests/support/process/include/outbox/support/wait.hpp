#pragma once

#include <chrono>
#include <functional>

namespace outbox::support {

/// How much longer than at full speed what is under test may take: a sanitizer slows it.
inline constexpr int slowness = OUTBOX_SLOWNESS;

/// Asks again and again. @return false at the limit, which is one at full speed.
bool wait_until(const std::function<bool()>& condition,
                std::chrono::milliseconds limit = std::chrono::seconds(20));
/// How long until it holds. @return no less than `limit`, which is one at full speed, when it never does.
std::chrono::milliseconds time_until(const std::function<bool()>& condition, std::chrono::milliseconds limit);
/// Lets time go by; only where the quiet itself is the subject.
void stay_quiet(std::chrono::milliseconds span);

} // namespace outbox::support
