#include "text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>

namespace outbox {
namespace {

/// Bytes of the character that begins the text; 0 when none does.
std::size_t first_character(std::string_view text) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t lead = byte(0);
    if (lead < 0x80) {
        return lead == 0 ? 0 : 1;
    }
    if (lead < 0xC2 || lead > 0xF4) {
        return 0;
    }
    const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    if (text.size() < length) {
        return 0;
    }
    std::uint32_t point = lead & (0x7FU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0) != 0x80) {
            return 0;
        }
        point = point << 6 | (byte(i) & 0x3FU);
    }
    const std::uint32_t least = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
    const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
    return point < least || point > 0x10FFFF || surrogate ? 0 : length;
}

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
