#pragma once

#include <outbox/postgres/result.hpp>
#include <outbox/store/row.hpp>

namespace outbox::store {

/// @pre the result is binary
Tid tid_of(std::string_view bytes);

/// Adds all rows of a binary result, whose columns are the fragment `columns`, with copies of what they point
/// to.
/// @return bytes that they keep in memory, or will when all is read
std::size_t add_rows(RowSet& claimed, const postgres::Result& found);

/// Content that was to be read yet. @pre a binary result of outbox_read_content, for rows of the set
void add_content(RowSet& claimed, postgres::Result found);

} // namespace outbox::store
