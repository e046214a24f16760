// JSON strings, written straight into memory that was measured first: records are made by the thousand,
// and each would otherwise cost an allocation.

#include "json_text.hpp"

namespace outbox::messages {
namespace {

/// What follows the backslash; 0: none is needed, 'u': four hexadecimal digits as well.
char escape_of(char c) noexcept {
    switch (c) {
    case '"':
    case '\\':
        return c;
    case '\b':
        return 'b';
    case '\f':
        return 'f';
    case '\n':
        return 'n';
    case '\r':
        return 'r';
    case '\t':
        return 't';
    default:
        return static_cast<unsigned char>(c) < 0x20 ? 'u' : '\0';
    }
}

} // namespace

std::size_t json_text_size(std::string_view text) noexcept {
    std::size_t size = text.size() + 2;
    for (const char c : text) {
        const char escape = escape_of(c);
        size += escape == 0 ? 0U : escape == 'u' ? 5U : 1U;
    }
    return size;
}

char* write_json_text(char* to, std::string_view text) noexcept {
    static constexpr char digits[] = "0123456789abcdef";
    *to++ = '"';
    for (const char c : text) {
        const char escape = escape_of(c);
        if (escape == 0) {
            *to++ = c;
            continue;
        }
        *to++ = '\\';
        *to++ = escape;
        if (escape == 'u') {
            *to++ = '0';
            *to++ = '0';
            *to++ = digits[static_cast<unsigned char>(c) >> 4];
            *to++ = digits[c & 0x0F];
        }
    }
    *to++ = '"';
    return to;
}

} // namespace outbox::messages
