#pragma once

#include <outbox/core/uuid.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace outbox {

/// What a writer puts into the outbox, beside its business rows and in the same transaction.
struct NewEvent {
    Uuid id = Uuid::time_ordered();
    std::string aggregate_type;
    std::string aggregate_id;
    std::string event_type;
    std::string data; ///< JSON text
    std::string topic;
    std::optional<std::string> partition_key; ///< the aggregate id where it is left out
    std::optional<std::string> headers;       ///< JSON object of strings
    std::int32_t max_retries = 3;
};

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
