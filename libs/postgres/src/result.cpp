#include "outbox/postgres/result.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace outbox::postgres {

int Result::rows() const {
    return handle_ ? PQntuples(handle_.get()) : 0;
}

std::int64_t Result::affected() const {
    const std::string_view count = PQcmdTuples(handle_.get());
    std::int64_t value = 0;
    std::from_chars(count.data(), count.data() + count.size(), value);
    return value;
}

std::string_view Result::command() const {
    return handle_ ? PQcmdStatus(handle_.get()) : std::string_view{};
}

bool Result::is_null(int row, int column) const {
    return PQgetisnull(handle_.get(), row, column) != 0;
}

bool Result::is_binary(int column) const {
    return PQfformat(handle_.get(), column) == 1;
}

std::string_view Result::bytes(int row, int column) const {
    return {PQgetvalue(handle_.get(), row, column),
            static_cast<std::size_t>(PQgetlength(handle_.get(), row, column))};
}

std::optional<std::string> Result::maybe_text(int row, int column) const {
    return is_null(row, column) ? std::nullopt : std::optional(text(row, column));
}

std::int64_t Result::integer(int row, int column) const {
    const std::string_view field = bytes(row, column);
    if (is_binary(column)) {
        if (field.size() != 2 && field.size() != 4 && field.size() != 8) {
            throw std::logic_error("the field is not an integer");
        }
        // Big-endian, two to eight bytes; the sign is filled up first.
        std::uint64_t value = (static_cast<unsigned char>(field[0]) & 0x80) != 0 ? ~std::uint64_t{0} : 0;
        for (const char byte : field) {
            value = (value << 8) | static_cast<unsigned char>(byte);
        }
        return static_cast<std::int64_t>(value);
    }
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
    if (error != std::errc{} || end != field.data() + field.size()) {
        throw std::logic_error("the field is not an integer");
    }
    return value;
}

bool Result::boolean(int row, int column) const {
    const std::string_view field = bytes(row, column);
    return field == "t" || field == std::string_view("\x01", 1);
}

Uuid Result::uuid(int row, int column) const {
    const std::string_view field = bytes(row, column);
    if (is_binary(column) && field.size() == 16) {
        Uuid::Bytes raw{};
        std::transform(field.begin(), field.end(), raw.begin(),
                       [](char c) { return static_cast<std::uint8_t>(c); });
        return Uuid(raw);
    }
    if (const auto parsed = Uuid::parse(field)) {
        return *parsed;
    }
    throw std::logic_error("the field is not a uuid");
}

} // namespace outbox::postgres
