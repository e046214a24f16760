// The history of migrations: what was applied, when, with which checksum. Each set (the outbox, the
// example) has a table of its own. A schema that was restored without data is told from a new one and
// from a lost one by a note in the structure itself.

#include "history.hpp"

#include <outbox/core/error.hpp>
#include <outbox/postgres/transaction.hpp>
#include <outbox/store/sql/migrate.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace outbox::migrations::history {
namespace {

namespace sql = store::sql;

/// Where the set's history stands.
const char* table_of(Set set) {
    return set == Set::outbox ? "outbox_migrations" : "outbox_example_migrations";
}

/// Bytes in hex, for the server to hash.
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
    connection.query(sql::create_history.sql, {}, deadline);
    connection.query(sql::convert_history.sql, {}, deadline);
}

std::vector<Applied> read(postgres::Connection& connection, Deadline deadline) {
    std::vector<Applied> history;
    for (const Set set : {Set::outbox, Set::example}) {
        if (connection.query("SELECT to_regclass($1)", {table_of(set)}, deadline).is_null(0, 0)) {
            continue;
        }
        const auto rows =
            connection.query(store::filled(sql::read_history_of, {{"history", table_of(set)}}), {}, deadline);
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
    connection.query(sql::note_structure.sql, {}, deadline);
}

std::optional<int> take_on_structure(postgres::Connection& connection, const std::vector<Migration>& files,
                                     Deadline deadline) {
    constexpr auto mend =
        "restore the data of all its tables as well (pg_dump --data-only --disable-triggers)";
    const auto found = connection.query(sql::look_at_structure.sql, {}, deadline);
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
    const auto now = connection.query(sql::read_structure.sql, {}, deadline);
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
    connection.query(sql::add_meta.sql, {}, deadline);
    transaction.commit();
    return version;
}

void add(postgres::Connection& connection, const Migration& migration, milliseconds duration, bool adopted,
         Deadline deadline) {
    if (migration.set == Set::example) {
        connection.query(sql::create_example_history.sql, {}, deadline);
    }
    connection.query(store::filled(sql::add_step, {{"history", table_of(migration.set)}}),
                     {migration.version, migration.name, migration.checksum,
                      static_cast<std::int64_t>(duration.count()), adopted ? "true" : "false"},
                     deadline);
}

void remove(postgres::Connection& connection, const Migration& migration, Deadline deadline) {
    const auto* const table = table_of(migration.set);
    connection.query(store::filled(sql::remove_step, {{"history", table}}), {migration.version}, deadline);
    if (migration.set == Set::example &&
        connection.query(fmt::format("SELECT FROM {} LIMIT 1", table), {}, deadline).empty()) {
        connection.query(fmt::format("DROP TABLE {}", table), {}, deadline);
    }
}

bool try_lock(postgres::Connection& connection, const std::string& schema, Deadline deadline) {
    return connection.query(sql::lock_migration.sql, {schema}, deadline).boolean(0, 0);
}

std::optional<std::string> lock_holder(postgres::Connection& connection, const std::string& schema,
                                       Deadline deadline) {
    const auto rows = connection.query(sql::migration_holder.sql, {schema}, deadline);
    return rows.empty() ? std::nullopt : std::optional(rows.text(0, 0));
}

std::string checksum(postgres::Connection& connection, const std::string& bytes, Deadline deadline) {
    return connection.query("SELECT encode(sha256(decode($1, 'hex')), 'hex')", {hex(bytes)}, deadline)
        .text(0, 0);
}

} // namespace outbox::migrations::history
