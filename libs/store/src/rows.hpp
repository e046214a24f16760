#pragma once

#include "outbox/store/sql.hpp"

#include <outbox/postgres/result.hpp>
#include <outbox/store/row.hpp>

namespace outbox::store {

/// What a claim reads, in the order in which add_rows() takes it.
#define OUTBOX_COLUMNS                                                                                       \
    "o.ctid, o.seq, o.id, o.bucket, coalesce(o.retry_count, 0), o.max_retries, o.created_at, "               \
    "o.topic, " OUTBOX_KEY_OF(                                                                               \
        "o") ", o.aggregate_type, o.aggregate_id, o.event_type, o.event_data::text, o.headers::text,"        \
             " o.tombstone, o.payload, o.content_type"

/// What names a row without reading what it holds, in the order in which find_unreadable() takes it.
#define OUTBOX_IDENTITY "o.ctid, o.seq, o.id, coalesce(o.retry_count, 0), o.bucket"

/// @pre the result is binary
Tid tid_of(std::string_view bytes);

/// Adds all rows of a binary result, whose columns are OUTBOX_COLUMNS, with copies of what they point to.
/// @return bytes that they keep in memory
std::size_t add_rows(RowSet& claimed, const postgres::Result& found);

} // namespace outbox::store
