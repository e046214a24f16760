// Compares the database's schema with the one that this program was made for, in the order in which
// things go wrong: no right to the schema, no outbox in it, an older one, one without its history, a
// newer one. Each has one line that says what to type. Relays wait and try again; a program that is too
// old ends.

#include "outbox/store/schema.hpp"

#include <outbox/core/error.hpp>
#include <outbox/postgres/transaction.hpp>
#include <outbox/store/sql/schema.hpp>

#include <fmt/format.h>

namespace outbox::store {
int schema_version() {
    return OUTBOX_SCHEMA_VERSION;
}

void check_schema(postgres::Connection& connection, milliseconds timeout, Newer newer) {
    postgres::Transaction transaction(connection, Deadline::in(timeout));
    const auto found = transaction.run(sql::find_schema, {});
    const std::string where = fmt::format("schema {} of database {}", found.text(0, 1), found.text(0, 0));
    if (!found.boolean(0, 3) && found.boolean(0, 7)) {
        throw Error(Action::reconnect,
                    fmt::format("role {0} may not use {1}: type GRANT USAGE ON SCHEMA {2} TO {0}",
                                postgres::quoted(found.text(0, 2)), where, found.text(0, 1)));
    }
    if (!found.boolean(0, 4)) {
        const auto elsewhere = found.maybe_text(0, 6);
        throw Error(
            Action::reconnect,
            fmt::format("there is no outbox in {}: type outbox-migrate up{}", where,
                        elsewhere ? fmt::format("; or DB_SCHEMA={}, where one stands", *elsewhere) : ""));
    }
    if (!found.boolean(0, 5)) {
        throw Error(Action::reconnect,
                    fmt::format("the outbox in {} is older than this program, which needs version {}:"
                                " type outbox-migrate up",
                                where, schema_version()));
    }
    const auto read = transaction.run(sql::read_version, {});
    if (read.is_null(0, 0)) {
        throw Error(
            Action::reconnect,
            fmt::format("the outbox in {} has no history, as after pg_dump --schema-only: restore its data"
                        " as well; or, for a new outbox, type outbox-migrate up",
                        where));
    }
    const auto version = read.integer(0, 0);
    if (version < schema_version()) {
        throw Error(Action::reconnect,
                    fmt::format("the outbox in {} is at version {}, and this program needs {}:"
                                " type outbox-migrate up",
                                where, version, schema_version()));
    }
    if (version > schema_version() && newer == Newer::refused) {
        throw Error(Action::stop,
                    fmt::format("the outbox in {} is at version {}, and this program knows {}: upgrade the"
                                " program",
                                where, version, schema_version()));
    }
}

std::optional<std::string> sent_deleted_since(postgres::Connection& connection, milliseconds timeout) {
    const auto found = connection.run(sql::sent_deleted, {}, Deadline::in(timeout));
    return found.empty() ? std::nullopt : found.maybe_text(0, 0);
}

void begin_to_delete(postgres::Connection& connection, milliseconds timeout) {
    const auto bars = connection.run(sql::bars_to_deletes, {}, Deadline::in(timeout));
    for (int i = 0; i < bars.rows(); ++i) {
        if (const auto bar = bars.maybe_text(i, 0)) {
            throw Error(Action::reconnect, "RELAY_ON_SENT=delete: " + *bar);
        }
    }
    connection.run(sql::note_deletes, {}, Deadline::in(timeout));
}

} // namespace outbox::store
