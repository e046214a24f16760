#pragma once

#include <outbox/postgres/connection.hpp>
#include <outbox/store/row.hpp>

#include <unordered_map>
#include <vector>

namespace outbox::store {

// A trigger of the user's own may cancel an update, or undo what it says, without an error. These look for
// rows that are as they were, by what their updates would have changed; each finds one at most, by its id.

/// $1 ids, $2 seqs: rows that were to become SENT.
extern const postgres::Statement find_unsent;
/// $1 ids, $2 whether they were to become FAILED: rows of which an attempt was to be written down.
extern const postgres::Statement find_not_failed;
/// $1 ids: rows that were to be NEW again.
extern const postgres::Statement find_processing;
/// $1 ids, $2 places: claimed rows that were to become PROCESSING, and that nobody else changed.
extern const postgres::Statement find_as_claimed;
/// $1 buckets, $2 seqs: ready rows that a settlement named.
extern const postgres::Statement find_unsettled_ready;
/// $1 buckets, $2 seqs: the same of waiting ones.
extern const postgres::Statement find_unsettled_waiting;

/// Names the trigger and what to type. The transaction that is open does not matter any more.
[[noreturn]] void throw_without_effect(const Uuid& id, postgres::Connection& connection,
                                       milliseconds timeout);

/// Takes the rows out that have no new place, and gives the others theirs.
std::vector<Row> take_missed(RowSet& claimed, const std::unordered_map<std::int64_t, Tid>& where);

/// Takes the rows out that follow one of `missed` in its key: they must not overtake it.
std::vector<Row> take_followers(RowSet& claimed, const std::vector<Row>& missed);

} // namespace outbox::store
