#pragma once

#include <outbox/migrate/migration.hpp>
#include <outbox/postgres/connection.hpp>

#include <optional>
#include <string>
#include <vector>

// Every SQL text of this library that is about the history table and its lock.
namespace outbox::migrations::history {

/// Creates the table where it is missing.
void create(postgres::Connection& connection, Deadline deadline);

/// In the order of versions; empty while the table is missing.
std::vector<Applied> read(postgres::Connection& connection, Deadline deadline);

void add(postgres::Connection& connection, const Migration& migration, milliseconds duration,
         Deadline deadline);
void remove(postgres::Connection& connection, int version, Deadline deadline);

/// Tries for the lock of this database's migrations; the session keeps it to its end.
bool try_lock(postgres::Connection& connection, Deadline deadline);
/// Who has that lock, for people; nullopt when it has just been given back.
std::optional<std::string> lock_holder(postgres::Connection& connection, Deadline deadline);

/// sha256 in hex, computed by the server.
std::string checksum(postgres::Connection& connection, const std::string& bytes, Deadline deadline);

} // namespace outbox::migrations::history
