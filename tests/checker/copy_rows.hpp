#pragma once

#include "judge.hpp"

#include <optional>
#include <string_view>

namespace checker {

/// Reads one message of COPY ... (FORMAT binary) with the columns that Database::read_rows asks for.
/// @param first  this message begins with the stream's header.
/// @return nothing for the trailer. The row's views point into `bytes`.
/// @throws std::runtime_error for bytes that are not such a row.
[[nodiscard]] std::optional<Row> copy_row(std::string_view bytes, bool first);

} // namespace checker
