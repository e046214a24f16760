#pragma once

#include <outbox/postgres/connection.hpp>

#include <string>
#include <vector>

namespace outbox::migrations {

/// An outbox that a crash of the server empties breaks the promise: an UNLOGGED outbox_events is made an
/// ordinary table.
/// @return whether it was one
bool make_logged(postgres::Connection& connection, Deadline deadline);

/// What the owner of an adopted outbox_events should know; one line each.
std::vector<std::string> advice(postgres::Connection& connection, Deadline deadline);

} // namespace outbox::migrations
