#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace outbox::chaos {

/// Big-endian integer of `Size` bytes. @throws std::out_of_range
template <std::size_t Size>
std::uint64_t integer_at(std::string_view bytes, std::size_t at) {
    if (at + Size > bytes.size()) {
        throw std::out_of_range("a message ends too early");
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < Size; ++i) {
        value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    }
    return value;
}

inline void put_int16(std::string& bytes, std::size_t at, std::uint16_t value) {
    bytes.at(at) = static_cast<char>(value >> 8);
    bytes.at(at + 1) = static_cast<char>(value & 0xff);
}

} // namespace outbox::chaos
