#pragma once

#include <outbox/core/uuid.hpp>
#include <outbox/postgres/connection.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::store {

/// What a claim chose: a statement that names the same rows without reading what they hold.
struct Choice {
    postgres::Statement rows{nullptr, nullptr};
    postgres::Params params;
    bool content = false; ///< of rows whose large content was read by itself
};

/// What large content takes longer by than an ordinary statement.
inline constexpr int patience_with_content = 5;

/// An event that the server cannot hand out: its bytes have no form in UTF-8, are damaged, or are too many.
struct UnreadableRow {
    std::int64_t seq = 0;
    Uuid id;
    std::int16_t bucket = 0;
    std::int32_t retry_count = 0;
    std::string why; ///< names the column, and what the server says of it
};

/// Why a statement that reads events may have failed.
enum class Suspect {
    nobody,  ///< it lies with no row
    rows,    ///< one of them is damaged, or larger than the server can hand out
    too_many ///< all together took too much time or memory, or one of them does
};
/// By the SQLSTATE of the error that it failed with; empty means that no answer came.
Suspect suspect_of(std::string_view sqlstate);

/// Seeks those among the chosen rows that cannot be read, by reading ever smaller parts. Empty when the
/// failure lies with none of them.
/// @param open  makes a session; some failures end the one they happen in
/// @throws DatabaseError for a failure that lies with no row
std::vector<UnreadableRow> find_unreadable(const std::function<postgres::Connection()>& open,
                                           const Choice& choice, milliseconds timeout);

} // namespace outbox::store
