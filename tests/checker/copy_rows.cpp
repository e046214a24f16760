#include "copy_rows.hpp"

#include <algorithm>
#include <cstdint>
#include <stdexcept>

namespace checker {
namespace {

class Bytes {
public:
    explicit Bytes(std::string_view rest) : rest_(rest) {}

    std::string_view take(std::size_t count) {
        if (count > rest_.size()) {
            throw std::runtime_error("COPY: a row ends early");
        }
        const auto taken = rest_.substr(0, count);
        rest_.remove_prefix(count);
        return taken;
    }

    std::int64_t integer(std::size_t width) {
        std::uint64_t value = 0;
        for (const char c : take(width)) {
            value = value << 8 | static_cast<unsigned char>(c);
        }
        const auto unused = 8 * (8 - width);
        return static_cast<std::int64_t>(value << unused) >> unused; // keeps the sign
    }

    /// The next column, nothing for NULL.
    std::optional<std::string_view> column() {
        const auto length = integer(4);
        return length < 0 ? std::nullopt : std::optional(take(static_cast<std::size_t>(length)));
    }

private:
    std::string_view rest_;
};

std::int64_t number(std::string_view column) {
    return Bytes(column).integer(column.size());
}

} // namespace

std::optional<Row> copy_row(std::string_view message, bool first) {
    Bytes bytes(message);
    if (first) {
        bytes.take(11 + 4); // signature, flags
        bytes.take(static_cast<std::size_t>(bytes.integer(4)));
    }
    const auto columns = bytes.integer(2);
    if (columns < 0) {
        return std::nullopt;
    }
    if (columns != 10) {
        throw std::runtime_error("COPY: not the columns that were asked for");
    }
    Row row;
    const auto id = bytes.column().value();
    std::copy_n(id.begin(), row.id.bytes.size(), reinterpret_cast<char*>(row.id.bytes.data()));
    row.rank = number(bytes.column().value());
    row.status = bytes.column().value();
    row.topic = bytes.column().value();
    row.key = bytes.column().value();
    row.type = bytes.column().value();
    row.data = bytes.column();
    if (const auto partition = bytes.column()) {
        row.partition = static_cast<std::int32_t>(number(*partition));
    }
    if (const auto offset = bytes.column()) {
        row.offset = number(*offset);
    }
    row.processed = number(bytes.column().value()) != 0;
    return row;
}

} // namespace checker
