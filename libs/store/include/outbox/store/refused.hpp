#pragma once

#include <outbox/store/unreadable.hpp>

#include <functional>
#include <string_view>
#include <vector>

namespace outbox::store {

/// Whether a statement that changes events may have failed with this SQLSTATE because of one of them: a
/// constraint, or what a trigger raises.
bool may_be_refused(std::string_view sqlstate);

/// Whether it may have failed because somebody else has locked a row.
bool may_be_locked(std::string_view sqlstate);

/// Seeks those among the chosen rows that cannot be changed, one of each bucket: those that somebody else has
/// locked, else by trying it with ever smaller parts; nothing stays changed. Empty when the failure lies with
/// none of them.
/// @param open  makes a session
/// @throws DatabaseError for a failure that lies with no row
std::vector<UnreadableRow> find_refused(const std::function<postgres::Connection()>& open,
                                        const Choice& choice, milliseconds timeout);

} // namespace outbox::store
