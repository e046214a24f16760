// Words of headers, which are ASCII.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace outbox::http {

/// The text in lower case; the names and media types that are compared have no letters beyond ASCII.
inline std::string lowered(std::string_view text) {
    std::string copy(text);
    std::ranges::transform(copy, copy.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return copy;
}

/// The text without blanks and tabs at its ends.
inline std::string_view trimmed(std::string_view text) {
    text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
    return text.substr(0, text.find_last_not_of(" \t") + 1);
}

} // namespace outbox::http
