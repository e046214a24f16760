#include "rows.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace outbox::store {

using postgres::Result;

Tid tid_of(std::string_view bytes) {
    const auto byte = [&](std::size_t at) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[at]));
    };
    return {byte(0) << 24 | byte(1) << 16 | byte(2) << 8 | byte(3),
            static_cast<std::uint16_t>(byte(4) << 8 | byte(5))};
}

namespace {

std::int64_t unix_microseconds(std::int64_t since_2000) {
    constexpr std::int64_t offset = 946'684'800'000'000;
    constexpr auto last = std::numeric_limits<std::int64_t>::max();
    return since_2000 > last - offset ? last : since_2000 + offset;
}

constexpr std::array texts{&Row::topic,      &Row::key,  &Row::aggregate_type, &Row::aggregate_id,
                           &Row::event_type, &Row::data, &Row::content_type,   &Row::headers};

/// Its views point into the result.
Row row_of(const Result& result, int at) {
    Row row;
    row.tid = tid_of(result.bytes(at, 0));
    row.seq = result.integer(at, 1);
    row.id = result.uuid(at, 2);
    row.bucket = static_cast<std::int16_t>(result.integer(at, 3));
    row.retry_count = static_cast<std::int32_t>(result.integer(at, 4));
    if (!result.is_null(at, 5)) {
        row.max_retries = static_cast<std::int32_t>(result.integer(at, 5));
    }
    if (!result.is_null(at, 6)) {
        row.created_at_us = unix_microseconds(result.integer(at, 6));
    }
    row.topic = result.bytes(at, 7);
    row.key = result.bytes(at, 8);
    row.aggregate_type = result.bytes(at, 9);
    row.aggregate_id = result.bytes(at, 10);
    row.event_type = result.bytes(at, 11);
    row.data = result.bytes(at, 12);
    row.headers = result.bytes(at, 13);
    if (!result.is_null(at, 14) && result.boolean(at, 14)) {
        row.value = Value::none;
        row.data = {};
    } else if (!result.is_null(at, 15)) {
        row.value = Value::bytes;
        row.data = result.bytes(at, 15);
        row.content_type = result.bytes(at, 16);
    }
    return row;
}

/// Points the row's views at copies. @return where the next copy goes
char* move_texts(Row& row, char* to) {
    for (const auto text : texts) {
        const std::string_view from = row.*text;
        row.*text = {to, from.size()};
        to = std::copy(from.begin(), from.end(), to);
    }
    return to;
}

} // namespace

std::size_t add_rows(RowSet& claimed, const Result& found) {
    if (found.empty()) {
        return 0;
    }
    const std::size_t before = claimed.rows.size();
    std::size_t bytes = 0;
    for (int i = 0; i < found.rows(); ++i) {
        claimed.rows.push_back(row_of(found, i));
        bytes += claimed.rows.back().bytes();
    }
    const std::size_t added = claimed.rows.size() - before;
    char* to = claimed.storage.emplace_back(new char[bytes - added * sizeof(Row)]).get();
    for (std::size_t i = before; i < claimed.rows.size(); ++i) {
        to = move_texts(claimed.rows[i], to);
    }
    return bytes;
}

} // namespace outbox::store
