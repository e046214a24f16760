#pragma once

#include <outbox/core/uuid.hpp>

#include <cstdint>

namespace outbox {

/// Buckets are fixed for ever; shards are sets of buckets.
inline constexpr int bucket_count = 64;

/// 32 bits of an id (FNV-1a), by which a manifest tells one event from another under the same `seq`.
[[nodiscard]] inline std::uint32_t id_digest(const Uuid& id) noexcept {
    std::uint32_t digest = 2166136261U;
    for (const std::uint8_t byte : id.bytes()) {
        digest = (digest ^ byte) * 16777619U;
    }
    return digest;
}

} // namespace outbox
