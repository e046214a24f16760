// From results of libpq to rows. Columns come in binary and are copied into one block for each
// statement: libpq keeps about three times as much for the same values, and a claim may hold thousands
// of rows. Large content is not copied; its row then keeps the whole result alive.

#include "rows.hpp"

#include <outbox/core/error.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <unordered_map>
#include <utility>

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

/// PostgreSQL counts from the year 2000; the result stays within the type, for infinity is a time as
/// well.
std::int64_t unix_microseconds(std::int64_t since_2000) {
    constexpr std::int64_t offset = 946'684'800'000'000;
    constexpr auto last = std::numeric_limits<std::int64_t>::max();
    return since_2000 > last - offset ? last : since_2000 + offset;
}

/// The views of a row, in the order in which their copies stand behind each other.
constexpr std::array texts{&Row::topic,      &Row::key,  &Row::aggregate_type, &Row::aggregate_id,
                           &Row::event_type, &Row::data, &Row::content_type,   &Row::headers};

/// @param column  of the first of the fragment `content`
void take_content(Row& row, const Result& result, int at, int column) {
    row.headers = result.bytes(at, column + 1);
    if (row.value == Value::none) {
        return;
    }
    const bool bytes = !result.is_null(at, column + 2);
    row.value = bytes ? Value::bytes : Value::json;
    row.data = result.bytes(at, bytes ? column + 2 : column);
}

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
    if (!result.is_null(at, 12) && result.boolean(at, 12)) {
        row.value = Value::none;
    }
    row.content_type = result.bytes(at, 13);
    row.unread = result.integer(at, 17);
    if (row.unread == 0) {
        take_content(row, result, at, 14);
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
    std::size_t unread = 0;
    for (int i = 0; i < found.rows(); ++i) {
        claimed.rows.push_back(row_of(found, i));
        bytes += claimed.rows.back().bytes();
        unread += static_cast<std::size_t>(claimed.rows.back().unread);
    }
    const std::size_t added = claimed.rows.size() - before;
    std::shared_ptr<char[]> copies(new char[bytes - added * sizeof(Row)]);
    char* to = copies.get();
    claimed.storage.push_back(std::move(copies));
    for (std::size_t i = before; i < claimed.rows.size(); ++i) {
        to = move_texts(claimed.rows[i], to);
    }
    return bytes + unread;
}

void add_content(RowSet& claimed, Result found) {
    std::unordered_map<std::int64_t, int> places;
    for (int i = 0; i < found.rows(); ++i) {
        places.emplace(found.integer(i, 0), i);
    }
    const auto result = std::make_shared<const Result>(std::move(found));
    for (Row& row : claimed.rows) {
        if (std::exchange(row.unread, 0) == 0) {
            continue;
        }
        const auto place = places.find(row.seq);
        if (place == places.end()) {
            throw Error(Action::retry, "an event was changed while it was read; it is claimed again");
        }
        take_content(row, *result, place->second, 1);
    }
    claimed.storage.push_back(result);
}

/// The first row always goes, whatever it takes: else a single large event would never be sent. One from
/// alone_from on goes without followers.
std::size_t rows_with_room(const std::vector<Row>& rows, std::size_t room) {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto unread = static_cast<std::size_t>(rows[i].unread);
        if (unread > 0 && i > 0 && sum + unread > room) {
            return i;
        }
        if (rows[i].unread >= alone_from) {
            return i + 1;
        }
        sum += rows[i].bytes() + unread;
    }
    return rows.size();
}

} // namespace outbox::store
