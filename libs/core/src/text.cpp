// Is a text fit for PostgreSQL: UTF-8, without NUL? Texts of users and servers are asked this before
// they go into a statement, because the server would refuse the whole transaction for one byte.

#include "outbox/core/text.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace outbox {

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
    // Longer than needed (overlong), beyond Unicode, or half of a surrogate pair: all three are no
    // UTF-8.
    const std::uint32_t least = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
    const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
    return point < least || point > 0x10FFFF || surrogate ? 0 : length;
}

bool is_storable(std::string_view text) noexcept {
    // Eight bytes at a time while they are plain ASCII, which nearly all texts are.
    constexpr std::uint64_t ones = 0x0101010101010101;
    constexpr std::uint64_t highs = 0x8080808080808080;
    while (!text.empty()) {
        std::uint64_t eight = 0;
        if (text.size() >= sizeof(eight)) {
            std::memcpy(&eight, text.data(), sizeof(eight));
            if (((eight | (eight - ones)) & highs) == 0) { // ASCII, and none of them NUL
                text.remove_prefix(sizeof(eight));
                continue;
            }
        }
        const std::size_t length = first_character(text);
        if (length == 0) {
            return false;
        }
        text.remove_prefix(length);
    }
    return true;
}

std::string storable(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        const std::size_t length = first_character(text);
        result += length == 0 ? "\uFFFD" : text.substr(0, length);
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return result;
}

} // namespace outbox
