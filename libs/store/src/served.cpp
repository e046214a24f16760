#include "outbox/store/served.hpp"

#include <fmt/format.h>

#include <optional>

namespace outbox::store {
namespace {

using postgres::Result;

// What the catalogue says about each table now, as opposed to what was written down when it began to be
// served. A clone of the trigger on a partition has the partition's own switch.
constexpr postgres::Statement look{
    "outbox_look_at_served",
    "SELECT s.name, now.name, other.name, parent.name, child.name, t.tgenabled, clone.name,"
    // A function that looks its outbox up follows wherever that goes.
    " f.prosrc = s.body, strpos(s.body, 'IF to_regclass(') > 0"
    " OR strpos(s.body, format('INSERT INTO %I.outbox_events ', o.nspname)) > 0,"
    " gone.names, changed.names, lacks.statements, pg_get_userbyid(f.proowner), quote_ident(t.tgname)"
    " FROM outbox_captures AS s"
    " CROSS JOIN (SELECT n.oid, n.nspname FROM pg_class AS k JOIN pg_namespace AS n ON n.oid = k.relnamespace"
    " WHERE k.oid = 'outbox_events'::regclass) AS o"
    " LEFT JOIN pg_class AS c ON c.oid = s.source"
    " LEFT JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) FROM pg_namespace AS n"
    " WHERE n.oid = c.relnamespace) AS now(name) ON true"
    " LEFT JOIN LATERAL (SELECT to_regclass(s.name)::text WHERE to_regclass(s.name)::oid <> s.source::oid)"
    " AS other(name) ON true"
    " LEFT JOIN LATERAL (SELECT i.inhparent::regclass::text FROM pg_inherits AS i WHERE i.inhrelid = c.oid "
    "LIMIT 1)"
    " AS parent(name) ON true"
    " LEFT JOIN LATERAL (SELECT i.inhrelid::regclass::text FROM pg_inherits AS i WHERE i.inhparent = c.oid"
    " AND c.relkind = 'r' LIMIT 1) AS child(name) ON true"
    // Another outbox may serve the table as well.
    " LEFT JOIN LATERAL (SELECT g.* FROM pg_trigger AS g JOIN pg_proc AS p ON p.oid = g.tgfoid"
    " WHERE g.tgrelid = c.oid AND g.tgname ~ '^outbox_capture(_[0-9a-f]{8})?$' AND p.pronamespace = o.oid"
    " ORDER BY p.prosrc = s.body DESC LIMIT 1) AS t ON true"
    " LEFT JOIN pg_proc AS f ON f.oid = t.tgfoid"
    " LEFT JOIN LATERAL (WITH RECURSIVE clones AS (SELECT p.oid, p.tgrelid, p.tgenabled FROM pg_trigger AS p"
    " WHERE p.tgparentid = t.oid UNION ALL SELECT p.oid, p.tgrelid, p.tgenabled FROM pg_trigger AS p"
    " JOIN clones ON p.tgparentid = clones.oid) SELECT clones.tgrelid::regclass::text FROM clones"
    " JOIN pg_class AS k ON k.oid = clones.tgrelid AND k.relkind = 'r'"
    " WHERE clones.tgenabled NOT IN ('O', 'A') LIMIT 1) AS clone(name) ON true"
    " LEFT JOIN LATERAL (SELECT string_agg(quote_ident(w.key), ', ' ORDER BY w.key) FROM "
    "jsonb_each_text(s.columns) AS w"
    " WHERE NOT EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = w.key"
    " AND NOT a.attisdropped)) AS gone(names) ON true"
    " LEFT JOIN LATERAL (SELECT string_agg(format('%I (%s, was %s)', w.key, format_type(a.atttypid, NULL), "
    "w.value), ', '"
    " ORDER BY w.key) FROM jsonb_each_text(s.columns) AS w JOIN pg_attribute AS a ON a.attrelid = c.oid"
    " AND a.attname = w.key AND NOT a.attisdropped WHERE format_type(a.atttypid, NULL) <> w.value"
    " AND NOT (format_type(a.atttypid, NULL) IN ('text', 'character varying')"
    " AND w.value IN ('text', 'character varying')) AND NOT (format_type(a.atttypid, NULL) IN ('integer', "
    "'bigint', "
    "'smallint') AND w.value IN ('integer', 'bigint', 'smallint'))) AS changed(names) ON true"
    // The function inserts with its owner's rights.
    " LEFT JOIN LATERAL (SELECT string_agg(m.statement, ' ') FROM ("
    "SELECT format('ALTER FUNCTION %s SECURITY DEFINER;', f.oid::regprocedure) WHERE NOT f.prosecdef"
    " UNION ALL SELECT format('GRANT USAGE ON SCHEMA %I TO %s;', o.nspname, f.proowner::regrole)"
    " WHERE NOT has_schema_privilege(f.proowner, o.oid, 'USAGE')"
    " UNION ALL SELECT format('GRANT INSERT ON %I.outbox_events TO %s;', o.nspname, f.proowner::regrole)"
    " WHERE NOT has_table_privilege(f.proowner, 'outbox_events'::regclass, 'INSERT')"
    " UNION ALL SELECT format('GRANT EXECUTE ON FUNCTION %s TO %s;', p.oid::regprocedure, "
    "f.proowner::regrole)"
    " FROM pg_proc AS p WHERE p.pronamespace = o.oid AND p.proname = 'outbox_bucket'"
    " AND NOT has_function_privilege(f.proowner, p.oid, 'EXECUTE')) AS m(statement)) AS lacks(statements) ON "
    "true"
    " ORDER BY s.name"};

constexpr postgres::Statement may_look{
    "outbox_may_look_at_served", "SELECT has_table_privilege(c.oid, 'SELECT'), quote_ident(current_user)"
                                 " FROM pg_class AS c WHERE c.oid = to_regclass('outbox_captures')"};

constexpr auto up = "outbox-migrate up with its --config";

/// Columns of `look`.
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
    const Result may = connection.run(may_look, {}, deadline);
    if (may.empty()) {
        return troubles; // an older outbox, which does not know
    }
    if (!may.boolean(0, 0)) {
        return {{"", fmt::format(
                         "role {} may not read outbox_captures, so nobody looked whether tables are still "
                         "served; type: GRANT SELECT ON outbox_captures TO {}",
                         may.text(0, 1), may.text(0, 1))}};
    }
    const Result seen = connection.run(look, {}, deadline);
    for (int row = 0; row < seen.rows(); ++row) {
        if (auto trouble = trouble_of(seen, row)) {
            troubles.push_back(std::move(*trouble));
        }
    }
    return troubles;
}

} // namespace outbox::store
