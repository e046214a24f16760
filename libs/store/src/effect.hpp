#pragma once

#include <outbox/postgres/connection.hpp>
#include <outbox/store/row.hpp>

#include <unordered_map>
#include <vector>

namespace outbox::store {

// A trigger of the user's own may cancel an update, or undo what it says, without an error. The statements of
// libs/store/sql/effect.sql look for rows that are as they were.

/// Names the trigger and what to type. The transaction that is open does not matter any more.
[[noreturn]] void throw_without_effect(const Uuid& id, postgres::Connection& connection,
                                       milliseconds timeout);

/// Takes the rows out that have no new place, and gives the others theirs.
std::vector<Row> take_missed(RowSet& claimed, const std::unordered_map<std::int64_t, Tid>& where);

/// Takes the rows out that follow one of `missed` in its key: they must not overtake it.
std::vector<Row> take_followers(RowSet& claimed, const std::vector<Row>& missed);

} // namespace outbox::store
