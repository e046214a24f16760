#include "outbox/store/archive.hpp"

#include "outbox/store/sql.hpp"

#include <outbox/core/error.hpp>

#include <fmt/format.h>

namespace outbox::store {
namespace {

using postgres::Result;
using postgres::Statement;

#define OUTBOX_HAS(column)                                                                                   \
    " EXISTS (SELECT FROM pg_attribute AS c WHERE c.attrelid = r.found AND c.attname = '" column             \
    "' AND NOT c.attisdropped)"

constexpr Statement find_archive{
    "outbox_find_archive",
    "SELECT r.found, r.found = 'outbox_events'::regclass," OUTBOX_HAS("headers") "," OUTBOX_HAS(
        "tombstone") "," OUTBOX_HAS("payload") "," OUTBOX_HAS("content_type") ", (SELECT "
                                                                              "format_type(d.atttypid, NULL) "
                                                                              "FROM pg_attribute AS d WHERE "
                                                                              "d.attrelid ="
                                                                              " 'outbox_events'::regclass "
                                                                              "AND d.attname = 'event_data')"
                                                                              " FROM (SELECT "
                                                                              "to_regclass($1)) AS r(found)"};

// Of the types that outbox_events has, so that conditions reach the table's own indexes.
constexpr const char* archived =
    "SELECT '(0,0)'::tid AS ctid, a.seq::bigint AS seq, a.id::uuid AS id,"
    " outbox_bucket(" OUTBOX_KEY_OF(
        "a") "::text) AS bucket,"
             " 0 AS retry_count, NULL::integer AS max_retries, a.created_at::timestamptz AS created_at,"
             " a.topic::varchar AS topic, a.partition_key::varchar AS partition_key,"
             " a.aggregate_type::varchar AS aggregate_type, a.aggregate_id::varchar AS aggregate_id,"
             " a.event_type::varchar AS event_type, a.event_data::{5} AS event_data, {1} AS headers,"
             " {2} AS tombstone, {3} AS payload, {4} AS content_type,"
             " a.status::varchar AS status, a.processed_at::timestamptz AS processed_at,"
             " coalesce(a.status, 'NEW') IN ('NEW', 'PROCESSING') AS unsent FROM {0} AS a";

constexpr const char* both = "(SELECT e.ctid, e.seq, e.id, e.bucket, e.retry_count, e.max_retries, "
                             "e.created_at, e.topic, e.partition_key,"
                             " e.aggregate_type, e.aggregate_id, e.event_type, e.event_data, e.headers, "
                             "e.tombstone, e.payload, e.content_type, "
                             "e.status, e.processed_at, e.unsent"
                             " FROM outbox_events AS e UNION ALL SELECT a.* FROM ({}) AS a WHERE NOT EXISTS"
                             " (SELECT FROM outbox_events AS e WHERE e.id = a.id AND e.seq <> a.seq AND NOT"
                             " e.unsent))";

} // namespace

std::string events_with(const std::string& archived) {
    return archived.empty() ? "outbox_events" : fmt::format(fmt::runtime(both), archived);
}

std::string archived_events(postgres::Connection& connection, const std::string& name, milliseconds timeout) {
    try {
        const Result found = connection.run(find_archive, {name}, Deadline::in(timeout));
        if (found.is_null(0, 0)) {
            throw UsageError(fmt::format("--archive={}: there is no such table", name));
        }
        if (found.boolean(0, 1)) {
            throw UsageError(fmt::format("--archive={}: that is the outbox itself", name));
        }
        const auto column = [&](int at, std::string_view column_name, std::string_view type) {
            return found.boolean(0, at) ? fmt::format("a.{}::{}", column_name, type)
                                        : fmt::format("NULL::{}", type);
        };
        std::string sql = fmt::format(fmt::runtime(archived), found.text(0, 0), column(2, "headers", "jsonb"),
                                      column(3, "tombstone", "boolean"), column(4, "payload", "bytea"),
                                      column(5, "content_type", "varchar"), found.text(0, 6));
        connection.query(sql + " LIMIT 0", {}, Deadline::in(timeout));
        return sql;
    } catch (const postgres::DatabaseError& error) {
        if (!error.sqlstate().starts_with("42")) {
            throw;
        }
        throw UsageError(
            fmt::format("--archive={} cannot be read as a table of events: {}", name, error.what()));
    }
}

} // namespace outbox::store
