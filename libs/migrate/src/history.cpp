#include "history.hpp"

#include <outbox/core/error.hpp>
#include <outbox/postgres/transaction.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace outbox::migrations::history {
namespace {

constexpr auto create_outbox_sql = R"(
CREATE TABLE IF NOT EXISTS outbox_migrations (
    version     INTEGER PRIMARY KEY,
    name        TEXT NOT NULL,
    checksum    TEXT NOT NULL, -- sha256 of the up file, hex
    applied_at  TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    duration_ms BIGINT NOT NULL,
    adopted     BOOLEAN NOT NULL DEFAULT false -- the table stood there before: down keeps it
))";

constexpr auto create_example_sql =
    "CREATE TABLE IF NOT EXISTS outbox_example_migrations (LIKE outbox_migrations INCLUDING ALL)";

// Version 0.1 kept both sets in one table, and noted what was adopted in the table's comment. A dump without
// comments has lost that, so a table that holds rows counts as adopted: what nobody can prove to be ours,
// `down` does not drop.
constexpr auto convert_sql = R"(
DO $$
DECLARE
    step record;
    rows_there boolean;
BEGIN
    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'outbox_migrations'::regclass AND attname = 'adopted') THEN
        RETURN;
    END IF;
    ALTER TABLE outbox_migrations ADD COLUMN adopted BOOLEAN NOT NULL DEFAULT false;
    FOR step IN SELECT m.version, m.name, to_regclass(m.name) AS stands FROM outbox_migrations AS m
                 WHERE (m.version, m.name) IN ((1, 'users'), (2, 'outbox_events')) LOOP
        CONTINUE WHEN step.stands IS NULL;
        EXECUTE format('SELECT EXISTS (SELECT FROM %s)', step.stands) INTO rows_there;
        UPDATE outbox_migrations AS m SET adopted = true WHERE m.version = step.version
           AND (rows_there OR obj_description(step.stands, 'pg_class') LIKE 'adopted by outbox-migrate%');
        IF obj_description(step.stands, 'pg_class') LIKE 'adopted by outbox-migrate%' THEN
            EXECUTE format('COMMENT ON TABLE %s IS NULL', step.stands);
        END IF;
    END LOOP;
    CREATE TABLE outbox_example_migrations (LIKE outbox_migrations INCLUDING ALL);
    WITH moved AS (DELETE FROM outbox_migrations AS m
                    WHERE (m.version, m.name) IN ((1, 'users'), (4, 'idempotency_keys')) RETURNING m.*)
    INSERT INTO outbox_example_migrations SELECT * FROM moved;
    IF NOT EXISTS (SELECT FROM outbox_example_migrations) THEN
        DROP TABLE outbox_example_migrations;
    END IF;
END $$)";

// Of a row without the column `adopted`, version 0.1's, the key is missing.
constexpr auto read_sql = "SELECT m.version, m.name, m.checksum,"
                          " to_char(m.applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'),"
                          " coalesce((to_jsonb(m) ->> 'adopted')::boolean, false),"
                          " (m.version, m.name) IN ((1, 'users'), (4, 'idempotency_keys')) FROM {} AS m";

// A dump of the schema alone has functions, and no rows of a history.
constexpr auto note_structure_sql = R"(
DO $$
DECLARE
    newest integer := (SELECT max(version) FROM outbox_migrations);
BEGIN
    IF newest IS NULL THEN
        DROP FUNCTION IF EXISTS outbox_structure();
    ELSE
        EXECUTE format('CREATE OR REPLACE FUNCTION outbox_structure() RETURNS integer LANGUAGE sql IMMUTABLE AS %L',
                       'SELECT ' || newest);
    END IF;
END $$)";

constexpr auto look_at_structure_sql =
    "SELECT to_regclass('outbox_meta') IS NOT NULL AND to_regclass('outbox_events') IS NOT NULL,"
    " to_regprocedure('outbox_structure()') IS NOT NULL";

const char* table_of(Set set) {
    return set == Set::outbox ? "outbox_migrations" : "outbox_example_migrations";
}

// 1868693508 is the class of this lock; advisory locks belong to one database. By name, because the schema
// may be missing; 0 is what version 0.1, which knows no other schema, takes.
#define OUTBOX_MIGRATION_LOCK "CASE $1 WHEN 'public' THEN 0 ELSE hashtext($1) END"
constexpr auto try_lock_sql = "SELECT pg_try_advisory_lock(1868693508, " OUTBOX_MIGRATION_LOCK ")";

constexpr auto holder_sql = R"(
SELECT format('%s, process %s, role %s, from %s, connected since %s',
              coalesce(nullif(a.application_name, ''), 'a program'), l.pid, coalesce(a.usename, '?'),
              coalesce(host(a.client_addr), 'a local socket'),
              to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
  FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
 WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 1868693508
   AND l.objid = ()" OUTBOX_MIGRATION_LOCK R"()::oid AND l.objsubid = 2
   AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))";

std::string hex(const std::string& bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(bytes.size() * 2);
    for (const char byte : bytes) {
        const auto value = static_cast<unsigned char>(byte);
        text += digits[value >> 4U];
        text += digits[value & 15U];
    }
    return text;
}

} // namespace

void prepare(postgres::Connection& connection, Deadline deadline) {
    connection.query(create_outbox_sql, {}, deadline);
    connection.query(convert_sql, {}, deadline);
}

std::vector<Applied> read(postgres::Connection& connection, Deadline deadline) {
    std::vector<Applied> history;
    for (const Set set : {Set::outbox, Set::example}) {
        if (connection.query("SELECT to_regclass($1)", {table_of(set)}, deadline).is_null(0, 0)) {
            continue;
        }
        const auto rows = connection.query(fmt::format(read_sql, table_of(set)), {}, deadline);
        for (int row = 0; row < rows.rows(); ++row) {
            history.push_back({.set = rows.boolean(row, 5) ? Set::example : set,
                               .version = static_cast<int>(rows.integer(row, 0)),
                               .name = rows.text(row, 1),
                               .checksum = rows.text(row, 2),
                               .applied_at = rows.text(row, 3),
                               .adopted = rows.boolean(row, 4)});
        }
    }
    std::ranges::sort(history, {}, &Applied::version);
    return history;
}

void note_structure(postgres::Connection& connection, Deadline deadline) {
    connection.query(note_structure_sql, {}, deadline);
}

std::optional<int> take_on_structure(postgres::Connection& connection, const std::vector<Migration>& files,
                                     Deadline deadline) {
    constexpr auto mend =
        "restore the data of all its tables as well (pg_dump --data-only --disable-triggers)";
    const auto found = connection.query(look_at_structure_sql, {}, deadline);
    if (!found.boolean(0, 0)) {
        return std::nullopt;
    }
    if (!found.boolean(0, 1)) {
        throw Error(
            Action::stop,
            fmt::format("the tables of an outbox stand here, and outbox_migrations is empty, as after pg_dump"
                        " --schema-only: {}, or drop them and type outbox-migrate up",
                        mend));
    }
    const auto now =
        connection.query("SELECT outbox_structure(), EXISTS (SELECT FROM outbox_meta) OR"
                         " EXISTS (SELECT FROM outbox_shards) OR EXISTS (SELECT FROM outbox_events),"
                         " EXISTS (SELECT FROM pg_subscription_rel WHERE srrelid = 'outbox_meta'::regclass)",
                         {}, deadline);
    if (now.boolean(0, 2)) {
        throw Error(Action::stop,
                    "a subscription fills the tables of this outbox: run up again when it has copied them");
    }
    if (now.boolean(0, 1)) {
        throw Error(
            Action::stop,
            fmt::format("outbox_migrations is empty, and other tables of the outbox are not: {}", mend));
    }
    const auto version = static_cast<int>(now.integer(0, 0));
    if (files.empty() || files.back().version < version) {
        throw Error(Action::stop,
                    fmt::format("the outbox here is of version {}, which this program does not know: upgrade"
                                " the program",
                                version));
    }
    postgres::Transaction transaction(connection, deadline);
    prepare(connection, deadline);
    for (const Migration& file : files) {
        if (file.set == Set::outbox && file.version <= version) {
            add(connection, file, milliseconds(0), false, deadline);
        }
    }
    connection.query("INSERT INTO outbox_meta DEFAULT VALUES", {}, deadline);
    transaction.commit();
    return version;
}

void add(postgres::Connection& connection, const Migration& migration, milliseconds duration, bool adopted,
         Deadline deadline) {
    if (migration.set == Set::example) {
        connection.query(create_example_sql, {}, deadline);
    }
    connection.query(fmt::format("INSERT INTO {} (version, name, checksum, duration_ms, adopted)"
                                 " VALUES ($1, $2, $3, $4, $5::boolean)",
                                 table_of(migration.set)),
                     {migration.version, migration.name, migration.checksum,
                      static_cast<std::int64_t>(duration.count()), adopted ? "true" : "false"},
                     deadline);
}

void remove(postgres::Connection& connection, const Migration& migration, Deadline deadline) {
    const auto* const table = table_of(migration.set);
    connection.query(fmt::format("DELETE FROM {} WHERE version = $1", table), {migration.version}, deadline);
    if (migration.set == Set::example &&
        connection.query(fmt::format("SELECT FROM {} LIMIT 1", table), {}, deadline).empty()) {
        connection.query(fmt::format("DROP TABLE {}", table), {}, deadline);
    }
}

bool try_lock(postgres::Connection& connection, const std::string& schema, Deadline deadline) {
    return connection.query(try_lock_sql, {schema}, deadline).boolean(0, 0);
}

std::optional<std::string> lock_holder(postgres::Connection& connection, const std::string& schema,
                                       Deadline deadline) {
    const auto rows = connection.query(holder_sql, {schema}, deadline);
    return rows.empty() ? std::nullopt : std::optional(rows.text(0, 0));
}

std::string checksum(postgres::Connection& connection, const std::string& bytes, Deadline deadline) {
    return connection.query("SELECT encode(sha256(decode($1, 'hex')), 'hex')", {hex(bytes)}, deadline)
        .text(0, 0);
}

} // namespace outbox::migrations::history
