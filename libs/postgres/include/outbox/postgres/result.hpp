#pragma once

#include <outbox/core/handle.hpp>
#include <outbox/core/uuid.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// libpq's own declarations stay in the .cpp files.
struct pg_result;
extern "C" void PQclear(pg_result*); // NOLINT(readability-identifier-naming): of libpq

namespace outbox::postgres {

/// The rows of one statement. Views into it live as long as it does. Not thread-safe to move; safe to read.
class Result {
public:
    /// Without rows: of a statement that was not asked.
    Result() = default;
    /// @param owned  libpq's result, which is cleared with this object
    explicit Result(pg_result* owned) : handle_(owned) {}

    /// Rows that came back; 0 for a statement that returns none.
    [[nodiscard]] int rows() const;
    [[nodiscard]] bool empty() const { return rows() == 0; }
    /// Rows that an INSERT, UPDATE or DELETE touched.
    [[nodiscard]] std::int64_t affected() const;
    /// What the server calls the statement that it has done: "UPDATE 3", "COMMIT".
    [[nodiscard]] std::string_view command() const;

    /// Whether the field holds SQL's NULL, which reads like an empty one otherwise.
    [[nodiscard]] bool is_null(int row, int column) const;
    [[nodiscard]] bool is_binary(int column) const;
    /// The bytes of a field, as they came; empty for NULL.
    [[nodiscard]] std::string_view bytes(int row, int column) const;
    [[nodiscard]] std::string text(int row, int column) const { return std::string(bytes(row, column)); }
    /// The field, or nullopt for NULL.
    [[nodiscard]] std::optional<std::string> maybe_text(int row, int column) const;
    /// smallint, integer or bigint, in text or binary form. @throws std::logic_error for anything else.
    [[nodiscard]] std::int64_t integer(int row, int column) const;
    /// True for "t" and for the byte 1. NULL counts as false.
    [[nodiscard]] bool boolean(int row, int column) const;
    /// A uuid, in text or binary form. @throws std::logic_error for anything else.
    [[nodiscard]] Uuid uuid(int row, int column) const;

private:
    Handle<pg_result, PQclear> handle_;
};

} // namespace outbox::postgres
