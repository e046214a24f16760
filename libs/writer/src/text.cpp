#include "text.hpp"

#include <outbox/core/text.hpp>

#include <nlohmann/json.hpp>

namespace outbox {
namespace {

/// In well-formed JSON a backslash begins an escape, and NUL has no other spelling.
bool has_escaped_nul(std::string_view json) noexcept {
    for (auto at = json.find('\\'); at != std::string_view::npos; at = json.find('\\', at + 2)) {
        if (json.substr(at, 6) == "\\u0000") {
            return true;
        }
    }
    return false;
}

} // namespace

std::optional<std::size_t> count_characters(std::string_view text) noexcept {
    std::size_t count = 0;
    for (; !text.empty(); ++count) {
        const std::size_t length = first_character(text);
        if (length == 0) {
            return std::nullopt;
        }
        text.remove_prefix(length);
    }
    return count;
}

bool is_storable_json(std::string_view text) {
    return count_characters(text) && nlohmann::json::accept(text) && !has_escaped_nul(text);
}

} // namespace outbox
