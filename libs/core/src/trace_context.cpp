// Judges W3C trace context by the recommendation's own grammar. A context that is not well-formed is
// left away rather than passed on: it would break the consumer's tracing, and the event matters more.

#include "outbox/core/trace_context.hpp"

#include <algorithm>

namespace outbox {
namespace {

bool is_printable(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c <= 0x7E; });
}

bool is_hex(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_hex_but_not_zero(std::string_view text) {
    return is_hex(text) && text.find_first_not_of('0') != std::string_view::npos;
}

} // namespace

/// Fixed places: 2 digits of version, 32 of trace, 16 of span, 2 of flags. A version above 00 may be
/// longer, and is read as if it were 00 as far as that goes; version ff and ids of zeros alone are never
/// valid.
bool is_traceparent(std::string_view text) noexcept {
    constexpr std::size_t length = 55;
    constexpr std::size_t longest = 512;
    if (text.size() < length || text.size() > longest || !is_printable(text) || text[2] != '-' ||
        text[35] != '-' || text[52] != '-') {
        return false;
    }
    const auto version = text.substr(0, 2);
    const bool rest_fits = text.size() == length || (version != "00" && text[length] == '-');
    return rest_fits && is_hex(version) && version != "ff" && is_hex_but_not_zero(text.substr(3, 32)) &&
           is_hex_but_not_zero(text.substr(36, 16)) && is_hex(text.substr(53, 2));
}

/// Members may be blank, which the recommendation allows between commas.
bool is_tracestate(std::string_view text) noexcept {
    constexpr std::size_t longest = 512;
    constexpr auto most_members = 32;
    if (text.empty() || text.size() > longest || std::ranges::count(text, ',') >= most_members ||
        !is_printable(text)) {
        return false;
    }
    while (!text.empty()) {
        const auto end = std::min(text.find(','), text.size());
        const auto member = text.substr(0, end);
        const bool blank = member.find_first_not_of(' ') == std::string_view::npos;
        const auto equals = member.find('=');
        if (!blank && (equals == std::string_view::npos || equals == 0)) {
            return false;
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return true;
}

} // namespace outbox
