#pragma once

#include <outbox/postgres/connection.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace outbox::migrations {

/// Opens the database. @throws Error that says so when it does not exist.
postgres::Connection open_existing(const postgres::ConnectOptions& options, Deadline deadline);

/// Opens the database; nullopt when it does not exist.
std::optional<postgres::Connection> open_if_there(const postgres::ConnectOptions& options, Deadline deadline);

/// Opens the database, and creates it first when it does not exist.
/// @param created  whether this call did
/// @throws Error with the command to type when the role may not create it.
postgres::Connection open_or_create(const postgres::ConnectOptions& options, Deadline deadline,
                                    const std::function<void(std::string_view)>& progress, bool& created);

/// Drops what open_or_create has created, unless somebody else uses it by now. @return whether it is gone
bool drop_created(const postgres::ConnectOptions& options, Deadline deadline);

using postgres::quoted;

/// What the server said, without our prefix and without the line of a RAISE; each line indented.
std::string readable(const postgres::DatabaseError& error);

} // namespace outbox::migrations
