#include "base64.hpp"

#include <algorithm>
#include <cstdint>

namespace outbox::messages {

void write_base64(std::string_view bytes, char* to) noexcept {
    static constexpr char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    constexpr std::size_t group = 3;
    for (std::size_t at = 0; at < bytes.size(); at += group) {
        const std::size_t there = std::min(group, bytes.size() - at);
        std::uint32_t bits = 0;
        for (std::size_t i = 0; i < group; ++i) {
            bits = bits << 8 | (i < there ? static_cast<unsigned char>(bytes[at + i]) : 0U);
        }
        for (std::size_t i = 0; i <= group; ++i) {
            *to++ = i <= there ? alphabet[bits >> (18 - 6 * i) & 0x3F] : '=';
        }
    }
}

} // namespace outbox::messages
