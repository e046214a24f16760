#pragma once

#include "outbox/store/unreadable.hpp"
#include "rows.hpp"

#include <vector>

namespace outbox::store {

/// A row that is looked at by itself, because a statement about it and others was refused.
struct Candidate {
    Tid tid;
    UnreadableRow row; ///< without the reason yet
};

/// @param rows  of a Choice's statement, in binary: where a row stands, seq, id, attempts, bucket
std::vector<Candidate> candidates_of(const postgres::Result& rows);

} // namespace outbox::store
