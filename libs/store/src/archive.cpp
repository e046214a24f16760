// An archive is any table or view that events were moved to. Its columns may lack what later versions
// added; NULLs stand in for them. The text is tried once without rows, so that what does not fit is
// refused by name before a run begins.

#include "outbox/store/archive.hpp"

#include <outbox/core/error.hpp>
#include <outbox/store/sql/archive.hpp>

#include <fmt/format.h>

namespace outbox::store {
std::string events_with(const std::string& archived) {
    return archived.empty() ? "outbox_events" : filled(sql::events_and_archive, {{"archived", archived}});
}

std::string archived_events(postgres::Connection& connection, const std::string& name, milliseconds timeout) {
    try {
        const postgres::Result found = connection.run(sql::find_archive, {name}, Deadline::in(timeout));
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
        std::string events =
            filled(sql::archived_events, {{"table", found.text(0, 0)},
                                          {"headers", column(2, "headers", "jsonb")},
                                          {"tombstone", column(3, "tombstone", "boolean")},
                                          {"payload", column(4, "payload", "bytea")},
                                          {"content_type", column(5, "content_type", "varchar")},
                                          {"data_type", found.text(0, 6)}});
        connection.query(events + " LIMIT 0", {}, Deadline::in(timeout));
        return events;
    } catch (const postgres::DatabaseError& error) {
        if (!error.sqlstate().starts_with("42")) {
            throw;
        }
        throw UsageError(
            fmt::format("--archive={} cannot be read as a table of events: {}", name, error.what()));
    }
}

} // namespace outbox::store
