#include "history.hpp"

#include <fmt/format.h>

namespace outbox::migrations::history {
namespace {

constexpr auto create_sql = R"(
CREATE TABLE IF NOT EXISTS outbox_migrations (
    version     INTEGER PRIMARY KEY,
    name        TEXT NOT NULL,
    checksum    TEXT NOT NULL, -- sha256 of the up file, hex
    applied_at  TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp(),
    duration_ms BIGINT NOT NULL
))";

constexpr auto read_sql = R"(
SELECT version, name, checksum, to_char(applied_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
  FROM outbox_migrations ORDER BY version)";

// 1868693508 is the class of this lock; advisory locks belong to one database.
constexpr auto try_lock_sql = "SELECT pg_try_advisory_lock(1868693508, 0)";

constexpr auto holder_sql = R"(
SELECT format('%s, process %s, role %s, from %s, connected since %s',
              coalesce(nullif(a.application_name, ''), 'a program'), l.pid, coalesce(a.usename, '?'),
              coalesce(host(a.client_addr), 'a local socket'),
              to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
  FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
 WHERE l.locktype = 'advisory' AND l.granted AND l.classid = 1868693508 AND l.objid = 0 AND l.objsubid = 2
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

void create(postgres::Connection& connection, Deadline deadline) {
    connection.query(create_sql, {}, deadline);
}

std::vector<Applied> read(postgres::Connection& connection, Deadline deadline) {
    std::vector<Applied> history;
    const auto table = connection.query("SELECT to_regclass('outbox_migrations')", {}, deadline);
    if (table.is_null(0, 0)) {
        return history;
    }
    const auto rows = connection.query(read_sql, {}, deadline);
    for (int row = 0; row < rows.rows(); ++row) {
        history.push_back({.version = static_cast<int>(rows.integer(row, 0)),
                           .name = rows.text(row, 1),
                           .checksum = rows.text(row, 2),
                           .applied_at = rows.text(row, 3)});
    }
    return history;
}

void add(postgres::Connection& connection, const Migration& migration, milliseconds duration,
         Deadline deadline) {
    connection.query(
        "INSERT INTO outbox_migrations (version, name, checksum, duration_ms) VALUES ($1, $2, $3, $4)",
        {migration.version, migration.name, migration.checksum, static_cast<std::int64_t>(duration.count())},
        deadline);
}

void remove(postgres::Connection& connection, int version, Deadline deadline) {
    connection.query("DELETE FROM outbox_migrations WHERE version = $1", {version}, deadline);
}

bool try_lock(postgres::Connection& connection, Deadline deadline) {
    return connection.query(try_lock_sql, {}, deadline).boolean(0, 0);
}

std::optional<std::string> lock_holder(postgres::Connection& connection, Deadline deadline) {
    const auto rows = connection.query(holder_sql, {}, deadline);
    return rows.empty() ? std::nullopt : std::optional(rows.text(0, 0));
}

std::string checksum(postgres::Connection& connection, const std::string& bytes, Deadline deadline) {
    return connection.query("SELECT encode(sha256(decode($1, 'hex')), 'hex')", {hex(bytes)}, deadline)
        .text(0, 0);
}

} // namespace outbox::migrations::history
