#include "outbox/core/uuid.hpp"

#include <sys/random.h>

#include <chrono>
#include <stdexcept>

namespace outbox {
namespace {

/// From the kernel's random source, which blocks only before it is seeded, once after boot.
Uuid::Bytes random_bytes() {
    Uuid::Bytes bytes{};
    if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        throw std::runtime_error("the system's random source failed");
    }
    return bytes;
}

/// Writes version and variant into the bits where RFC 9562 has them.
Uuid with_version(Uuid::Bytes bytes, int version) {
    bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0F) | (version << 4));
    bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3F) | 0x80);
    return Uuid(bytes);
}

/// @return 0 to 15; -1 for what is no hexadecimal digit
int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// True where the canonical form has a dash before this byte: 8-4-4-4-12 digits.
constexpr bool dash_before(std::size_t byte) {
    return byte == 4 || byte == 6 || byte == 8 || byte == 10;
}

} // namespace

Uuid Uuid::random() {
    return with_version(random_bytes(), 4);
}

Uuid Uuid::time_ordered() {
    using namespace std::chrono;
    Bytes bytes = random_bytes();
    const auto now = duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
    // The first 48 bits are the milliseconds since 1970, the highest byte first, so that bytes
    // compare like times.
    for (int i = 0; i < 6; ++i) {
        bytes[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(now >> (40 - 8 * i));
    }
    return with_version(bytes, 7);
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
    if (text.size() != text_size) {
        return std::nullopt;
    }
    Bytes bytes{};
    std::size_t position = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (dash_before(i) && text[position++] != '-') {
            return std::nullopt;
        }
        const int high = hex_value(text[position++]);
        const int low = hex_value(text[position++]);
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
    }
    return Uuid(bytes);
}

void Uuid::write_to(char* text) const noexcept {
    static constexpr char digits[] = "0123456789abcdef";
    for (std::size_t i = 0; i < bytes_.size(); ++i) {
        if (dash_before(i)) {
            *text++ = '-';
        }
        *text++ = digits[bytes_[i] >> 4];
        *text++ = digits[bytes_[i] & 0x0F];
    }
}

std::string Uuid::to_string() const {
    std::string text(text_size, '-');
    write_to(text.data());
    return text;
}

} // namespace outbox
