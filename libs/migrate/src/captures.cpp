// Triggers on users' tables, and what the catalogue knows about them. Names, columns and the cut from
// Debezium stand in the trigger's comment, so a table that is renamed, dumped or restored keeps its
// mapping. The function runs with its owner's rights and a fixed search_path: writers need no right to
// the outbox, and nobody can slip in another table of that name.

#include "captures.hpp"

#include "server.hpp"

#include <outbox/core/error.hpp>
#include <outbox/core/uuid.hpp>
#include <outbox/store/sql/migrate.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace outbox::migrations::captures {
namespace {

constexpr auto select_captures = R"(
SELECT format('%I.%I', n.nspname, c.relname), format('%I.%I', fn.nspname, f.proname), f.prosrc,
       d.saying ->> 'mapping', d.saying ->> 'publication', d.saying ->> 'slot', d.saying ->> 'lsn', quote_ident(t.tgname)
  FROM pg_trigger AS t
  JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
  JOIN pg_proc AS f ON f.oid = t.tgfoid JOIN pg_namespace AS fn ON fn.oid = f.pronamespace
  CROSS JOIN LATERAL (SELECT obj_description(t.oid, 'pg_trigger') AS text) AS s
  CROSS JOIN LATERAL (SELECT CASE WHEN s.text LIKE '{"mapping"%' THEN s.text::json END AS saying) AS d
 WHERE t.tgname ~ '^outbox_capture(_[0-9a-f]{8})?$' AND t.tgparentid = 0
   AND f.pronamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('outbox_events')))";

constexpr auto find_table = R"(
SELECT c.oid, format('%I.%I', n.nspname, c.relname), c.relkind, pg_has_role(c.relowner, 'USAGE'),
       coalesce(c.oid = to_regclass('outbox_events'), false), c.relispartition,
       c.relkind = 'r' AND EXISTS (SELECT FROM pg_inherits WHERE c.oid IN (inhrelid, inhparent)),
       c.relkind IN ('r', 'p') AND row_security_active(c.oid), quote_ident(current_user)
  FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
 WHERE n.nspname = $1 AND c.relname = $2)";

// A domain counts as the type that it is made of. What has a length of its own, numbers and addresses are
// short as text; the length of varchar(n) and char(n) stands behind four bytes.
constexpr auto find_columns = R"(
SELECT a.attname, format_type(b.oid, NULL), NOT a.attnotnull, a.attgenerated = 'v',
       b.typlen < 0 AND b.typcategory NOT IN ('N', 'I')
       AND NOT (b.oid IN ('varchar'::regtype, 'bpchar'::regtype)
                AND coalesce(nullif(t.typtypmod, -1), a.atttypmod) - 4 BETWEEN 0 AND 255)
  FROM pg_attribute AS a
  JOIN pg_type AS t ON t.oid = a.atttypid
  JOIN pg_type AS b ON b.oid = coalesce(nullif(t.typbasetype, 0), t.oid)
 WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped)";

/// The triggers that the condition chooses, with what their comments say.
std::vector<Capture> read(postgres::Connection& connection, const std::string& where,
                          const postgres::Params& params, Deadline deadline) {
    const auto rows = connection.query(select_captures + where + " ORDER BY 1", params, deadline);
    std::vector<Capture> found;
    for (int i = 0; i < rows.rows(); ++i) {
        Capture capture{.table = rows.text(i, 0),
                        .trigger = rows.text(i, 7),
                        .function = rows.text(i, 1),
                        .body = rows.text(i, 2),
                        .description = rows.text(i, 3),
                        .cut = {}};
        if (!rows.is_null(i, 4)) {
            capture.cut = Cut{rows.text(i, 4), rows.text(i, 5), rows.text(i, 6)};
        }
        found.push_back(std::move(capture));
    }
    return found;
}

/// @throws Error(stop) about that table
[[noreturn]] void refuse(const std::string& table, const std::string& why) {
    throw Error(Action::stop, fmt::format("table {} {}", table, why));
}

/// Where outbox_events stands.
struct Place {
    std::string schema; ///< quoted
    std::string oid;
};

/// Finds the outbox in the session's schema. @throws Error when there is none
Place place_of_outbox(postgres::Connection& connection, Deadline deadline) {
    const auto rows = connection.query("SELECT quote_ident(n.nspname), c.oid FROM pg_class AS c"
                                       " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
                                       " WHERE c.oid = to_regclass('outbox_events')",
                                       {}, deadline);
    if (rows.empty()) {
        throw Error(Action::stop, "this database has no outbox_events: run outbox-migrate up");
    }
    return {rows.text(0, 0), rows.text(0, 1)};
}

/// The mapping, and the cut if there was one, as the trigger's comment keeps them.
std::string comment_of(postgres::Connection& connection, const CaptureSql& sql, const std::optional<Cut>& cut,
                       Deadline deadline) {
    const auto text = [](const std::optional<Cut>& from, std::string Cut::*part) {
        return from ? std::optional(*from.*part) : std::nullopt;
    };
    return connection
        .query("SELECT json_build_object('mapping', $1::text, 'publication', $2::text, 'slot', $3::text,"
               " 'lsn', $4::text)",
               {sql.description, text(cut, &Cut::publication), text(cut, &Cut::slot), text(cut, &Cut::lsn)},
               deadline)
        .text(0, 0);
}

/// A transition table costs a quarter of what a call for each row does where one statement inserts many. But
/// a statement's trigger misses rows that are inserted straight into a partition.
std::string trigger_on(const Table& table, const std::string& trigger, const std::string& function) {
    return fmt::format("TRIGGER {} AFTER {} ON {} {} EXECUTE FUNCTION {}()", trigger,
                       table.partitioned ? "INSERT OR DELETE" : "INSERT", table.name,
                       table.partitioned ? "FOR EACH ROW"
                                         : "REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT",
                       function);
}

/// To a trigger, an UPDATE that moves a row to another partition is a DELETE, at once followed by an INSERT
/// of the same command. Each DELETE leaves a note of its row and its command, which ends with the
/// transaction. The command of a row that this transaction has inserted itself cannot be read: there, and
/// only there, the client's statement is taken instead. Each trigger has a note of its own.
constexpr auto skip_moved_rows = R"(    IF TG_OP = 'DELETE' THEN
        PERFORM set_config('outbox.' || TG_NAME, OLD.{0}::text || ' ' || CASE WHEN age(OLD.xmin) > 0 THEN OLD.cmax::text
            ELSE extract(epoch FROM statement_timestamp())::text END, true);
        RETURN NULL;
    ELSIF current_setting('outbox.' || TG_NAME, true) IN (NEW.{0}::text || ' ' || NEW.cmin::text,
            NEW.{0}::text || ' ' || extract(epoch FROM statement_timestamp())::text) THEN
        PERFORM set_config('outbox.' || TG_NAME, '', true);
        RETURN NULL;
    END IF;
)";

/// A function's text does not follow when its schema is renamed, and a restored database has other numbers:
/// then the schema is looked up at each call, until `up` has written the function anew. Writers never fail by
/// it.
std::string guarded(const Place& place, const std::string& insert, bool by_row) {
    const auto target = fmt::format("{}.outbox_events", place.schema);
    auto elsewhere = insert.substr(insert.find(target) + place.schema.size());
    if (const auto source = elsewhere.rfind("(SELECT NEW.*)"); by_row && source != std::string::npos) {
        elsewhere.replace(source, std::string_view("(SELECT NEW.*)").size(), "(SELECT ($1).*)");
    }
    return fmt::format(
        "    IF to_regclass({})::oid IS DISTINCT FROM {}::oid THEN\n"
        "        EXECUTE 'INSERT INTO ' || (SELECT quote_ident(s.nspname) FROM pg_trigger AS t\n"
        "            JOIN pg_proc AS f ON f.oid = t.tgfoid JOIN pg_namespace AS s ON s.oid = f.pronamespace\n"
        "            WHERE t.tgrelid = TG_RELID AND t.tgname = TG_NAME) || {}{};\n"
        "        RETURN NULL;\n    END IF;\n    {};\n",
        literal(target), place.oid, literal(elsewhere), by_row ? " USING NEW" : "", insert);
}

/// In the body too, so that `up` sees a function that lacks them.
constexpr auto pinned =
    "    -- Dates, intervals, floats, bytes and money are written alike, whoever writes.\n";

/// The SET clauses of a function whose texts must not depend on who writes.
std::string settings_of(const CaptureSql& sql) {
    std::string clauses;
    for (const auto& [name, value] : pins) {
        clauses += sql.pinned ? fmt::format(" SET {} = {}", name, literal(value)) : "";
    }
    return clauses;
}

} // namespace

namespace {

/// outbox_captures: what `status` compares the table with later. Another table may have had this name before.
void record(postgres::Connection& connection, const Table& table, const std::string& function,
            Deadline deadline) {
    connection.query(store::sql::forget_dropped_capture.sql, {table.name, table.oid}, deadline);
    connection.query(store::sql::rename_capture.sql, {table.name, table.oid}, deadline);
    const auto before = connection.query(store::sql::forget_capture.sql, {table.oid}, deadline);
    if (!before.empty() && before.boolean(0, 1)) { // somebody dropped its trigger
        connection.query(fmt::format("DROP FUNCTION IF EXISTS {}()", before.text(0, 0)), {}, deadline);
    }
    connection.query(store::sql::add_capture.sql, {table.name, table.oid, function}, deadline);
}

} // namespace

namespace {

/// Another outbox may serve the table already.
std::string free_trigger(postgres::Connection& connection, const Table& table, const std::string& fresh,
                         Deadline deadline) {
    const auto taken =
        connection.query("SELECT FROM pg_trigger WHERE tgrelid = $1::oid AND tgname = 'outbox_capture'",
                         {table.oid}, deadline);
    return taken.empty() ? "outbox_capture" : fresh;
}

/// The function as it is to be at this place; nullopt: it is so. What the event is made of stays.
std::optional<std::string> moved_body(const std::string& body, const std::string& before,
                                      const Place& place) {
    const auto begin = body.rfind(fmt::format("INSERT INTO {}.outbox_events (", before));
    const auto end = body.rfind(" AS n;\n");
    const auto first = std::min(body.find("    IF to_regclass("), begin - std::min<std::size_t>(begin, 4));
    if (begin == std::string::npos || end == std::string::npos || end < begin) {
        return std::nullopt; // somebody else's text
    }
    auto insert = body.substr(begin, end + std::string_view(" AS n").size() - begin);
    insert.replace(std::string_view("INSERT INTO ").size(), before.size(), place.schema);
    const bool by_row = insert.ends_with("(SELECT NEW.*) AS n");
    auto prefix = body.substr(0, first);
    constexpr std::string_view shared_note = "'outbox.moved'"; // by all outboxes, in an older version
    for (auto at = prefix.find(shared_note); at != std::string::npos; at = prefix.find(shared_note)) {
        prefix.replace(at, shared_note.size(), "'outbox.' || TG_NAME");
    }
    auto moved = fmt::format("{}{}    RETURN NULL;\nEND\n", prefix, guarded(place, insert, by_row));
    return moved == body ? std::nullopt : std::optional(std::move(moved));
}

} // namespace

/// Functions hold the schema's name as text, which does not follow a rename; this writes them anew.
std::vector<std::string> follow_outbox(postgres::Connection& connection, Deadline deadline) {
    std::vector<std::string> followed;
    if (connection.query("SELECT FROM pg_class WHERE oid = to_regclass('outbox_captures')", {}, deadline)
            .empty()) {
        return followed; // the example alone
    }
    const Place place = place_of_outbox(connection, deadline);
    const auto rows = connection.query(store::sql::list_captures.sql, {place.oid}, deadline);
    for (int i = 0; i < rows.rows(); ++i) {
        const auto function = rows.text(i, 1);
        const auto body = moved_body(rows.text(i, 2), function.substr(0, function.rfind('.')), place);
        if (!body) {
            continue;
        }
        connection.script(connection
                              .query("SELECT replace(pg_get_functiondef($1::regprocedure), $2, $3)",
                                     {rows.text(i, 3), rows.text(i, 2), *body}, deadline)
                              .text(0, 0),
                          deadline);
        connection.query(store::sql::move_capture.sql, {rows.text(i, 0), *body, rows.text(i, 3)}, deadline);
        followed.push_back(rows.text(i, 0));
    }
    return followed;
}

std::vector<Capture> all(postgres::Connection& connection, Deadline deadline) {
    return read(connection, "", {}, deadline);
}

std::optional<Capture> of(postgres::Connection& connection, const Table& table, Deadline deadline) {
    auto found = read(connection, " AND c.oid = $1::oid", {table.oid}, deadline);
    return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

Table find(postgres::Connection& connection, const Mapping& mapping, Deadline deadline) {
    const auto rows = connection.query(find_table, {mapping.schema, mapping.name}, deadline);
    if (rows.empty()) {
        refuse(fmt::format("{}.{}", quoted(mapping.schema), quoted(mapping.name)),
               "does not exist in this database");
    }
    const std::string name = rows.text(0, 1);
    const auto kind = rows.bytes(0, 2);
    if (kind != "r" && kind != "p") {
        refuse(name, "is no table");
    }
    if (rows.boolean(0, 4)) {
        refuse(name, "is the outbox itself: it needs no section [table]");
    }
    if (rows.boolean(0, 5)) {
        refuse(name, "is a partition: name the table that it belongs to");
    }
    if (rows.boolean(0, 6)) {
        refuse(name, "inherits, or is inherited from: triggers would miss rows");
    }
    if (!rows.boolean(0, 3)) {
        refuse(name, "belongs to another role: run outbox-migrate as its owner, or as a member of that role");
    }
    Table table{.oid = rows.text(0, 0), .name = name, .partitioned = kind == "p", .columns = {}};
    if (rows.boolean(0, 7)) {
        table.hidden_from = rows.text(0, 8);
    }
    const auto columns = connection.query(find_columns, {table.oid}, deadline);
    for (int i = 0; i < columns.rows(); ++i) {
        table.columns[columns.text(i, 0)] = {columns.text(i, 1), columns.boolean(i, 2), columns.boolean(i, 3),
                                             columns.boolean(i, 4)};
    }
    return table;
}

/// The function's whole text, so that a change of [table] or of this program is seen by comparing it.
std::string body_of(postgres::Connection& connection, const Table& table, const CaptureSql& sql,
                    Deadline deadline) {
    const Place place = place_of_outbox(connection, deadline);
    const auto insert =
        fmt::format("INSERT INTO {}.outbox_events ({})\n    SELECT {}\n      FROM {} AS n", place.schema,
                    sql.targets, sql.values, table.partitioned ? "(SELECT NEW.*)" : "inserted");
    return fmt::format("\nBEGIN\n{}{}{}    RETURN NULL;\nEND\n", sql.pinned ? pinned : "",
                       table.partitioned ? fmt::format(skip_moved_rows, sql.id) : "",
                       guarded(place, insert, table.partitioned));
}

void put(postgres::Connection& connection, const Table& table, const CaptureSql& sql,
         const std::optional<Capture>& before, const std::optional<Cut>& cut, Deadline deadline) {
    // A random part in the name: an outbox in another schema may serve the same table with its own
    // function.
    const std::string fresh = "outbox_capture_" + Uuid::random().to_string().substr(0, 8);
    const std::string function =
        before ? before->function : fmt::format("{}.{}", place_of_outbox(connection, deadline).schema, fresh);
    const std::string trigger = before ? before->trigger : free_trigger(connection, table, fresh, deadline);
    std::string script =
        fmt::format("CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER"
                    " SET search_path = pg_catalog, pg_temp{} AS {};",
                    function, settings_of(sql), literal(body_of(connection, table, sql, deadline)));
    // Functions may be called by everybody unless that is taken back; this one writes with its
    // owner's rights.
    if (!before) {
        script += fmt::format("REVOKE ALL ON FUNCTION {}() FROM PUBLIC;", function);
    }
    script += fmt::format("CREATE {}{};", before ? "OR REPLACE " : "", trigger_on(table, trigger, function));
    script += fmt::format("COMMENT ON TRIGGER {} ON {} IS {}", trigger, table.name,
                          literal(comment_of(connection, sql, cut, deadline)));
    connection.script(script, deadline);
    record(connection, table, function, deadline);
}

void remove(postgres::Connection& connection, const Capture& capture, Deadline deadline) {
    connection.script(
        fmt::format("DROP TRIGGER {3} ON {0}; DROP FUNCTION {1}(); DELETE FROM outbox_captures WHERE "
                    "source = {2}::regclass",
                    capture.table, capture.function, literal(capture.table), capture.trigger),
        deadline);
}

/// By the name or by the table, for one of the two may be gone.
bool forget(postgres::Connection& connection, const std::string& table, Deadline deadline) {
    const auto gone = connection.query("DELETE FROM outbox_captures WHERE name IN ($1, 'public.' || $1)"
                                       " OR source = to_regclass($1) RETURNING function",
                                       {table}, deadline);
    for (int i = 0; i < gone.rows(); ++i) {
        connection.query(fmt::format("DROP FUNCTION IF EXISTS {}()", gone.text(i, 0)), {}, deadline);
    }
    return gone.rows() > 0;
}

namespace {

/// One after the other, until the one that cannot be converted; its id is in the error.
constexpr auto try_each = R"(
DO $outbox_do$
DECLARE
    r record;
    why text;
    state text;
    detail text;
BEGIN
    FOR r IN SELECT n.tableoid AS part, n.ctid AS place, n.{0}::text AS id FROM {1} AS n LOOP
        BEGIN
            PERFORM {2} FROM {1} AS n WHERE n.ctid = r.place AND n.tableoid = r.part;
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS why = MESSAGE_TEXT, state = RETURNED_SQLSTATE, detail = PG_EXCEPTION_DETAIL;
            RAISE EXCEPTION USING ERRCODE = state, DETAIL = detail,
                MESSAGE = format('the row whose %s is %s: %s', {3}, r.id, why);
        END;
    END LOOP;
END $outbox_do$)";

} // namespace

Misfits find_misfits(postgres::Connection& connection, const Table& table, const CaptureSql& sql,
                     Deadline deadline) {
    const std::string count = fmt::format(
        "SELECT count(*), min(v.id::text) FROM (SELECT {} FROM {} AS n) AS v ({}) WHERE v.id IS NULL"
        " OR v.aggregate_type IS NULL OR v.aggregate_id IS NULL OR v.event_type IS NULL"
        " OR v.event_data IS NULL OR v.topic IS NULL"
        " OR greatest(length(v.aggregate_type), length(v.aggregate_id),"
        " length(v.event_type), length(v.topic)) > 255{}",
        sql.values, table.name, sql.targets, sql.misfits);
    // The count is one statement, but a cast may fail in any row; then each is tried to find the
    // one at fault.
    try {
        const auto rows = connection.query(count, {}, deadline);
        return {rows.integer(0, 0), rows.is_null(0, 1) ? "NULL" : rows.text(0, 1)};
    } catch (const postgres::DatabaseError& error) {
        if (error.action() == Action::quarantine) {
            connection.script(fmt::format(try_each, sql.id, table.name, sql.values, literal(sql.id)),
                              deadline);
        }
        throw;
    }
}

/// Sets them for the session, as the function has them.
void pin_settings(postgres::Connection& connection, Deadline deadline) {
    std::string script;
    for (const auto& [name, value] : pins) {
        script += fmt::format("SET {} = {};", name, literal(value));
    }
    connection.script(script, deadline);
}

std::int64_t send_existing(postgres::Connection& connection, const Table& table, const CaptureSql& sql,
                           Deadline deadline) {
    return connection
        .query(fmt::format("INSERT INTO outbox_events ({}) SELECT {} FROM {} AS n ORDER BY {}"
                           " ON CONFLICT (id) DO NOTHING",
                           sql.targets, sql.values, table.name, sql.order),
               {}, deadline)
        .affected();
}

} // namespace outbox::migrations::captures
