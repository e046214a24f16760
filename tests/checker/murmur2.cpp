#include "murmur2.hpp"

#include <cstddef>

namespace checker {
namespace {

constexpr std::uint32_t multiplier = 0x5bd1e995;
constexpr std::uint32_t seed = 0x9747b28c;

std::uint32_t byte_at(std::string_view bytes, std::size_t index) noexcept {
    return static_cast<unsigned char>(bytes[index]);
}

std::uint32_t little_endian_word(std::string_view bytes, std::size_t index) noexcept {
    return byte_at(bytes, index) | byte_at(bytes, index + 1) << 8 | byte_at(bytes, index + 2) << 16 |
           byte_at(bytes, index + 3) << 24;
}

} // namespace

std::int32_t murmur2(std::string_view bytes) noexcept {
    std::uint32_t hash = seed ^ static_cast<std::uint32_t>(bytes.size());
    const std::size_t whole = bytes.size() & ~std::size_t{3};
    for (std::size_t i = 0; i < whole; i += 4) {
        std::uint32_t word = little_endian_word(bytes, i);
        word *= multiplier;
        word ^= word >> 24;
        hash = (hash * multiplier) ^ (word * multiplier);
    }
    const std::size_t rest = bytes.size() - whole;
    for (std::size_t i = rest; i > 0; --i) {
        hash ^= byte_at(bytes, whole + i - 1) << (8 * (i - 1));
    }
    if (rest > 0) {
        hash *= multiplier;
    }
    hash ^= hash >> 13;
    hash *= multiplier;
    hash ^= hash >> 15;
    return static_cast<std::int32_t>(hash);
}

std::int32_t java_partition(std::string_view key, std::int32_t count) noexcept {
    return (murmur2(key) & 0x7fffffff) % count;
}

} // namespace checker
