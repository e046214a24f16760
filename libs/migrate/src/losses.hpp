#pragma once

#include <outbox/migrate/plan.hpp>
#include <outbox/postgres/connection.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// What `down` would take away.
namespace outbox::migrations {

/// A step to take back, and what the history says about its table.
struct Undo {
    const Migration* migration;
    bool adopted;
};

/// The names after DROP TABLE in a file. Pure.
std::vector<std::string> dropped_tables(std::string_view sql);

/// Rows that would be gone with a table.
struct Loss {
    std::string table;
    std::int64_t rows;
};

/// Rows that the steps would take with them, the newest steps' first. Their tables stay locked to the end of
/// the transaction. Where no relay has ever started, the row that says who this outbox is says nothing yet.
std::vector<Loss> losses(postgres::Connection& connection, const std::vector<Undo>& steps, Deadline deadline);

/// @throws Error naming the relays that are alive. None can join before the transaction ends.
void refuse_while_relays_live(postgres::Connection& connection, const char* command, Deadline deadline);

} // namespace outbox::migrations
