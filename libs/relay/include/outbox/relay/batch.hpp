#pragma once

#include <outbox/kafka/producer.hpp>
#include <outbox/store/shard.hpp>

#include <memory_resource>
#include <optional>
#include <string>
#include <vector>

namespace outbox::relay {

/// One Kafka transaction: claimed rows, their records, and the manifest as the last record.
/// Records point into rows and arena; it lives until the transaction is decided.
struct Batch {
    std::int64_t number = 0;
    store::RowSet claimed;
    std::vector<kafka::Record> records;
    std::pmr::monotonic_buffer_resource arena;
    std::string manifest;
    std::string manifest_key;
    /// The one row goes to the dead-letter topic: what is written about it once it is there.
    std::optional<store::FailedAttempt> dead_letter;

    /// Keeps a text as long as the batch.
    std::string_view keep(std::string_view text) {
        auto* copy = static_cast<char*>(arena.allocate(text.size() + 1, 1));
        text.copy(copy, text.size());
        return {copy, text.size()};
    }
};

/// Size of a record batch that holds nothing but this record, as the broker counts it (magic 2,
/// uncompressed).
std::size_t alone_bytes(const kafka::Record& record) noexcept;

/// Fills key, value, timestamp and the CloudEvents headers (binary mode) of a row's record.
/// @param source     ce_source
/// @param now_ms     Unix epoch; stands in for a missing created_at
/// @param before_ms  how old a record may be, @param after_ms how far in the future
kafka::Record make_record(Batch& batch, const store::Row& row, std::string_view source, std::int64_t now_ms,
                          std::int64_t before_ms, std::int64_t after_ms);

} // namespace outbox::relay
