#pragma once

#include <cstddef>
#include <cstdint>

namespace outbox::messages {

/// "2020-09-13T12:26:40.123456Z"
inline constexpr std::size_t rfc3339_size = 27;

/// Writes that many characters. @pre years 0 to 9999 @param microseconds  since the Unix epoch
void write_rfc3339(std::int64_t microseconds, char* text) noexcept;

} // namespace outbox::messages
