#pragma once

#include <outbox/migrate/migration.hpp>
#include <outbox/postgres/connection.hpp>

#include <optional>
#include <string>
#include <vector>

// Every SQL text of this library that is about the history tables and their lock. Each set has a table of its
// own.
namespace outbox::migrations::history {

/// Creates the outbox's table where it is missing, and brings one of version 0.1, which held both sets, into
/// the form of today. @pre in a transaction
void prepare(postgres::Connection& connection, Deadline deadline);

/// Both sets, in the order of versions; also of version 0.1, as `prepare` would leave it but for what was
/// adopted.
std::vector<Applied> read(postgres::Connection& connection, Deadline deadline);

/// Writes the newest version where a dump without data keeps it. @pre in a transaction
void note_structure(postgres::Connection& connection, Deadline deadline);
/// A schema that was restored without any data becomes a new outbox. @return of which version; nullopt: there
/// is none
/// @throws Error where only a part of the data is missing, or nobody can tell the version
std::optional<int> take_on_structure(postgres::Connection& connection, const std::vector<Migration>& files,
                                     Deadline deadline);

/// Writes a line for a step that was applied. @pre in the transaction of the step
void add(postgres::Connection& connection, const Migration& migration, milliseconds duration, bool adopted,
         Deadline deadline);
/// The example's table goes with its last step.
void remove(postgres::Connection& connection, const Migration& migration, Deadline deadline);

/// Tries for the lock of this schema's migrations; the session keeps it to its end.
bool try_lock(postgres::Connection& connection, const std::string& schema, Deadline deadline);
/// Who has that lock, for people; nullopt when it has just been given back.
std::optional<std::string> lock_holder(postgres::Connection& connection, const std::string& schema,
                                       Deadline deadline);

/// sha256 in hex, computed by the server.
std::string checksum(postgres::Connection& connection, const std::string& bytes, Deadline deadline);

} // namespace outbox::migrations::history
