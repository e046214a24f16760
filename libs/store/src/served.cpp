// Looks whether the tables that outbox-migrate serves still become events. Anything may have happened
// to them: dropped, renamed, replaced, made a partition, triggers disabled, columns changed. The most
// serious trouble of a table is told, with what to type.

#include "outbox/store/served.hpp"

#include <outbox/store/sql/served.hpp>

#include <fmt/format.h>

#include <optional>

namespace outbox::store {
namespace {

using postgres::Result;

constexpr auto up = "outbox-migrate up with its --config";

/// Columns of `sql::look_at_served`.
enum Seen {
    recorded,
    now,
    other,
    parent,
    child,
    on,
    clone,
    same_body,
    same_schema,
    gone,
    changed,
    lacks,
    owner,
    trigger
};

/// The first that fits is told; what is beneath it shows once that is mended.
std::optional<Unserved> trouble_of(const Result& seen, int row) {
    const auto text = [&](int column) { return seen.maybe_text(row, column).value_or(""); };
    const auto is = [&](int column) { return !seen.is_null(row, column) && seen.boolean(row, column); };
    const std::string table = text(now).empty() ? text(recorded) : text(now);
    const auto because = [&](const std::string& why) { return Unserved{table, "table " + table + why}; };
    const auto mended_by_up = [&](const std::string& why) { return because(why + "; type: " + up); };

    if (text(now).empty()) {
        return because(fmt::format(
            " was served and is gone; type: outbox-migrate unmap '{}'{}", table,
            text(other).empty() ? "" : fmt::format(", and for the table of that name now: {}", up)));
    }
    if (!text(other).empty()) {
        return Unserved{
            text(recorded),
            fmt::format("table {0} is another one than the table that is served, which is {1} now: no row "
                        "of it becomes an event; type: {2}, and outbox-migrate unmap '{1}' once nobody "
                        "writes there any more",
                        text(recorded), table, up)};
    }
    if (!text(parent).empty()) {
        return because(
            fmt::format(" belongs to {1} now, and what is inserted there becomes no event; type: "
                        "outbox-migrate unmap '{0}', then outbox-migrate up with a [table] that names {1}",
                        table, text(parent)));
    }
    if (!text(child).empty()) {
        return because(fmt::format(
            " is inherited by {1}, whose rows become no events; type: ALTER TABLE {1} NO INHERIT {0}", table,
            text(child)));
    }
    if (text(on).empty()) {
        return mended_by_up(
            " is not served any more: its trigger outbox_capture is gone, and no row becomes an event");
    }
    if (text(on) != "O" && text(on) != "A") {
        return because(
            fmt::format(" is not served: its trigger {2} is {0}, and no row becomes an event; type: "
                        "ALTER TABLE {1} ENABLE TRIGGER {2}",
                        text(on) == "D" ? "disabled" : "for replicas alone", table, text(trigger)));
    }
    if (!text(clone).empty()) {
        return because(
            fmt::format(": the trigger {1} of its partition {0} is off, and no row of that becomes "
                        "an event; type: ALTER TABLE {0} ENABLE TRIGGER {1}",
                        text(clone), text(trigger)));
    }
    if (!is(same_body)) {
        return mended_by_up(": somebody has replaced the function of its trigger " + text(trigger));
    }
    if (!is(same_schema)) {
        return mended_by_up(": inserts fail, for outbox_events is in another schema than it was");
    }
    if (!text(gone).empty()) {
        return mended_by_up(": inserts fail, for column " + text(gone) +
                            " is gone, which becomes part of an event; correct "
                            "[table]");
    }
    if (!text(changed).empty()) {
        return mended_by_up(": a column that becomes part of an event has another type: " + text(changed));
    }
    if (!text(lacks).empty()) {
        return because(
            fmt::format(": inserts fail, for role {}, whose rights its trigger has, may not insert "
                        "events; type: {}",
                        text(owner), text(lacks)));
    }
    return std::nullopt;
}

} // namespace

std::vector<Unserved> unserved_tables(postgres::Connection& connection, Deadline deadline) {
    std::vector<Unserved> troubles;
    const Result may = connection.run(sql::may_look_at_served, {}, deadline);
    if (may.empty()) {
        return troubles; // an older outbox, which does not know
    }
    if (!may.boolean(0, 0)) {
        return {{"", fmt::format(
                         "role {} may not read outbox_captures, so nobody looked whether tables are still "
                         "served; type: GRANT SELECT ON outbox_captures TO {}",
                         may.text(0, 1), may.text(0, 1))}};
    }
    const Result seen = connection.run(sql::look_at_served, {}, deadline);
    for (int row = 0; row < seen.rows(); ++row) {
        if (auto trouble = trouble_of(seen, row)) {
            troubles.push_back(std::move(*trouble));
        }
    }
    return troubles;
}

} // namespace outbox::store
