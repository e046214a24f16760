#pragma once

#include "outbox/store/sql.hpp"

#include <outbox/postgres/result.hpp>
#include <outbox/store/row.hpp>

namespace outbox::store {

#define OUTBOX_NAMES                                                                                         \
    "o.ctid, o.seq, o.id, o.bucket, coalesce(o.retry_count, 0), o.max_retries, o.created_at, "               \
    "o.topic, " OUTBOX_KEY_OF("o") ", o.aggregate_type, o.aggregate_id, o.event_type, o.tombstone,"          \
                                   " o.content_type, "

/// What a row holds, whatever its size.
#define OUTBOX_CONTENT "o.event_data::text, o.headers::text, o.payload"

/// Bytes that the table keeps of it.
#define OUTBOX_STORED                                                                                        \
    "(coalesce(pg_column_size(o.event_data), 0)::bigint + coalesce(pg_column_size(o.headers), 0)"            \
    " + coalesce(pg_column_size(o.payload), 0))"

// One row may hold what a hundred do, so how many rows a statement may read says nothing of what comes back:
// columns that the table keeps in more than 8 KiB are read by themselves. Compressed, those are 2 MiB at
// most.
#define OUTBOX_IS_LARGE(column) "pg_column_size(o." column ") > 8192"
#define OUTBOX_ANY_IS_LARGE                                                                                  \
    "(" OUTBOX_IS_LARGE("event_data") " OR " OUTBOX_IS_LARGE("headers") " OR " OUTBOX_IS_LARGE("payload") ")"
#define OUTBOX_SMALL(column, value) "CASE WHEN NOT " OUTBOX_IS_LARGE(column) " THEN " value " END"
#define OUTBOX_SMALL_CONTENT                                                                                 \
    OUTBOX_SMALL("event_data", "o.event_data::text")                                                         \
    ", " OUTBOX_SMALL("headers", "o.headers::text") ", " OUTBOX_SMALL("payload", "o.payload")

/// What a claim reads, in the order in which add_rows() takes it.
#define OUTBOX_COLUMNS                                                                                       \
    OUTBOX_NAMES OUTBOX_SMALL_CONTENT ", CASE WHEN " OUTBOX_ANY_IS_LARGE " THEN " OUTBOX_STORED " ELSE 0 "   \
                                      "END"

/// The same, with all of the content to be read yet: of little that holds very much only reading it tells.
#define OUTBOX_BARE_COLUMNS OUTBOX_NAMES "NULL, NULL, NULL, " OUTBOX_STORED

/// The same with all of the content.
#define OUTBOX_ALL_COLUMNS OUTBOX_NAMES OUTBOX_CONTENT ", 0::bigint"

/// Of some rows: their numbers and what they hold, as add_content() takes it.
#define OUTBOX_READ_CONTENT                                                                                  \
    "SELECT o.seq, " OUTBOX_CONTENT " FROM outbox_events AS o WHERE o.ctid = ANY ($1::tid[])"

/// What names a row without reading what it holds, in the order in which find_unreadable() takes it.
#define OUTBOX_IDENTITY "o.ctid, o.seq, o.id, coalesce(o.retry_count, 0), o.bucket"

/// @pre the result is binary
Tid tid_of(std::string_view bytes);

/// Adds all rows of a binary result, whose columns are OUTBOX_COLUMNS, with copies of what they point to.
/// @return bytes that they keep in memory, or will when all is read
std::size_t add_rows(RowSet& claimed, const postgres::Result& found);

/// Content that was to be read yet. @pre a binary result of OUTBOX_READ_CONTENT, for rows of the set
void add_content(RowSet& claimed, postgres::Result found);

} // namespace outbox::store
