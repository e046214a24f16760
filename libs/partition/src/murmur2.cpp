#include "outbox/partition/strategy.hpp"

namespace outbox::partition {

std::uint32_t murmur2(std::string_view bytes) noexcept {
    constexpr std::uint32_t seed = 0x9747b28c;
    constexpr std::uint32_t multiplier = 0x5bd1e995;
    constexpr int shift = 24;
    const auto byte = [&](std::size_t at) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at]));
    };

    std::uint32_t hash = seed ^ static_cast<std::uint32_t>(bytes.size());
    std::size_t at = 0;
    for (; at + 4 <= bytes.size(); at += 4) {
        std::uint32_t word = byte(at) | byte(at + 1) << 8 | byte(at + 2) << 16 | byte(at + 3) << 24;
        word *= multiplier;
        word ^= word >> shift;
        word *= multiplier;
        hash = (hash * multiplier) ^ word;
    }
    if (at < bytes.size()) {
        for (std::size_t i = bytes.size(); i-- > at;) {
            hash ^= byte(i) << (8 * (i - at));
        }
        hash *= multiplier;
    }
    hash ^= hash >> 13;
    hash *= multiplier;
    hash ^= hash >> 15;
    return hash;
}

} // namespace outbox::partition
