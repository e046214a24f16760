// What `down` would take away. The files themselves say which tables they drop, so a new step needs no
// list here; each table is locked before it is counted, so that no row comes after the count.

#include "losses.hpp"

#include "server.hpp"

#include <outbox/core/error.hpp>
#include <outbox/store/sql/migrate.hpp>

#include <fmt/format.h>

#include <regex>

namespace outbox::migrations {

std::vector<std::string> dropped_tables(std::string_view sql) {
    static const std::regex statement(R"(DROP TABLE (?:IF EXISTS )?([a-z_, ]+);)");
    static const std::regex name("[a-z_]+");
    const std::string text(sql);
    std::vector<std::string> tables;
    for (std::sregex_iterator drop(text.begin(), text.end(), statement), end; drop != end; ++drop) {
        const std::string names = drop->str(1);
        for (std::sregex_iterator each(names.begin(), names.end(), name); each != end; ++each) {
            tables.push_back(each->str());
        }
    }
    return tables;
}

std::vector<Loss> losses(postgres::Connection& connection, const std::vector<Undo>& steps,
                         Deadline deadline) {
    std::vector<Loss> found;
    for (const Undo& step : steps) {
        for (const std::string& table : dropped_tables(*step.migration->down)) {
            if (step.adopted ||
                connection.query("SELECT to_regclass($1)", {quoted(table)}, deadline).is_null(0, 0)) {
                continue;
            }
            connection.query(fmt::format("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", quoted(table)), {},
                             deadline);
            const auto rows = connection
                                  .query(fmt::format("SELECT count(*) FROM {}{}", quoted(table),
                                                     table == "outbox_meta" ? " WHERE name IS NOT NULL" : ""),
                                         {}, deadline)
                                  .integer(0, 0);
            if (rows > 0) {
                found.push_back({table, rows});
            }
        }
    }
    return found;
}

/// The register is locked first: a relay that joins later waits until this transaction has ended.
void refuse_while_relays_live(postgres::Connection& connection, const char* command, Deadline deadline) {
    if (connection.query("SELECT to_regclass('outbox_relays')", {}, deadline).is_null(0, 0)) {
        return;
    }
    connection.query(store::sql::lock_relays.sql, {}, deadline);
    const auto names = connection.query(store::sql::live_relays.sql, {}, deadline);
    if (const auto alive = names.maybe_text(0, 0)) {
        throw Error(Action::stop, fmt::format("relays are alive ({}): stop them first, then run {} again",
                                              *alive, command));
    }
}

} // namespace outbox::migrations
