#pragma once

#include <cstddef>
#include <string_view>

namespace outbox::messages {

/// Characters that `bytes` bytes take in base64 (RFC 4648), padding included.
constexpr std::size_t base64_size(std::size_t bytes) noexcept {
    return (bytes + 2) / 3 * 4;
}

/// Writes them.
void write_base64(std::string_view bytes, char* to) noexcept;

} // namespace outbox::messages
