#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

namespace outbox::partition {

/// What a strategy may look at. Views live for the call only.
struct Routing {
    std::string_view key;
    std::string_view topic;
    std::string_view event_type;
};

class PartitionStrategy {
public:
    PartitionStrategy() = default;
    PartitionStrategy(const PartitionStrategy&) = delete;
    PartitionStrategy& operator=(const PartitionStrategy&) = delete;
    virtual ~PartitionStrategy() = default;

    /// Partition in [0, count), or nullopt to let the next strategy choose. Thread-safe. @pre count > 0
    [[nodiscard]] virtual std::optional<std::int32_t> choose(const Routing& event,
                                                             std::int32_t count) const noexcept = 0;
};

/// The Java client's default for keyed records: murmur2 of the key.
std::unique_ptr<PartitionStrategy> by_key();

/// MurmurHash2, 32 bits, with Kafka's seed. Source: Apache Kafka's protocol compatibility requirement.
std::uint32_t murmur2(std::string_view bytes) noexcept;

} // namespace outbox::partition
