#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace outbox {

/// Bytes of the UTF-8 character that begins the text; 0 when none does, or NUL, which PostgreSQL cannot
/// store.
/// @pre the text is not empty
[[nodiscard]] std::size_t first_character(std::string_view text) noexcept;

/// Whether all of it is UTF-8 without NUL.
[[nodiscard]] bool is_storable(std::string_view text) noexcept;

/// The text as PostgreSQL can store it: each byte that is no part of a character becomes U+FFFD.
[[nodiscard]] std::string storable(std::string_view text);

} // namespace outbox
