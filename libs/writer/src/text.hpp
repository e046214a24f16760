#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace outbox {

/// Unicode characters in UTF-8 text; nullopt for what is none, or holds NUL, which PostgreSQL cannot store.
[[nodiscard]] std::optional<std::size_t> count_characters(std::string_view text) noexcept;

/// JSON text that jsonb takes: well-formed, and no \u0000 in it.
[[nodiscard]] bool is_storable_json(std::string_view text);

} // namespace outbox
