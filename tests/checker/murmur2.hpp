#pragma once

#include <cstdint>
#include <string_view>

namespace checker {

/// The hash of Kafka's Java client (org.apache.kafka.common.utils.Utils.murmur2).
[[nodiscard]] std::int32_t murmur2(std::string_view bytes) noexcept;

/// The partition that the Java client's default partitioner gives a key. @pre count > 0
[[nodiscard]] std::int32_t java_partition(std::string_view key, std::int32_t count) noexcept;

} // namespace checker
