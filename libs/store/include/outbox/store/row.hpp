#pragma once

#include <outbox/core/uuid.hpp>

#include <cstdint>
#include <memory>
#include <numeric>
#include <optional>
#include <string_view>
#include <vector>

namespace outbox::store {

/// Where a row version stands in its table.
struct Tid {
    std::uint32_t block = 0;
    std::uint16_t offset = 0;

    friend bool operator<(const Tid& a, const Tid& b) noexcept {
        return a.block != b.block ? a.block < b.block : a.offset < b.offset;
    }
};

/// What the record of an event has as its value.
enum class Value {
    json,  ///< the text of event_data
    bytes, ///< a payload, as its writer made it
    none   ///< nothing: a tombstone
};

/// One claimed event. Views point into the RowSet it came with.
struct Row {
    std::int64_t seq = 0;
    Uuid id;
    Tid tid;
    std::int16_t bucket = 0;
    std::int32_t retry_count = 0;
    std::optional<std::int32_t> max_retries;
    std::optional<std::int64_t>
        created_at_us; ///< since the Unix epoch; PostgreSQL's infinities are the extremes
    std::string_view topic;
    std::string_view key;
    std::string_view aggregate_type;
    std::string_view aggregate_id;
    std::string_view event_type;
    std::string_view data;         ///< JSON text, or bytes
    std::string_view content_type; ///< of bytes; empty: nobody said
    std::string_view headers;      ///< JSON object, or empty
    Value value = Value::json;
    std::int64_t unread = 0; ///< bytes that the table keeps of content that is to be read yet; 0: it is here

    /// For who reads what an event says; empty where it is no JSON.
    [[nodiscard]] std::string_view json() const noexcept {
        return value == Value::json ? data : std::string_view();
    }

    /// Bytes that this row keeps in memory.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return sizeof(Row) + topic.size() + key.size() + aggregate_type.size() + aggregate_id.size() +
               event_type.size() + data.size() + content_type.size() + headers.size();
    }
};

/// Rows in `seq` order per bucket, with the memory that they point into. Moves, never copies.
struct RowSet {
    std::vector<Row> rows;
    /// Copies, a third of what libpq's results would keep; of large content the results themselves.
    std::vector<std::shared_ptr<const void>> storage;
    std::int64_t table_file =
        0; ///< that the rows' places are of: TRUNCATE and what rewrites the table change it

    [[nodiscard]] bool empty() const noexcept { return rows.empty(); }
    /// That all rows keep in memory.
    [[nodiscard]] std::size_t bytes() const noexcept {
        return std::accumulate(rows.begin(), rows.end(), std::size_t{0},
                               [](std::size_t sum, const Row& row) { return sum + row.bytes(); });
    }
};

/// Content of so many bytes goes alone: a transaction of Kafka's may take too little time, or a request too
/// few bytes, for it and others.
inline constexpr std::int64_t alone_from = 16 << 20;

/// How many rows of a claim go at once. Small content is here already; as much of the large is read as there
/// is room for, and always the first row's.
std::size_t rows_with_room(const std::vector<Row>& rows, std::size_t room);

} // namespace outbox::store
