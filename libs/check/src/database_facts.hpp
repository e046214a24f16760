#pragma once

#include "database.hpp"

#include <outbox/postgres/connection.hpp>

namespace outbox::check {

/// All of these ask one question or a few. @throws DatabaseError
ServerFacts read_server(postgres::Connection& session, Deadline deadline);
/// The rights that are missing.
std::vector<Grant> read_missing(postgres::Connection& session, Needs needs, const std::string& sequence,
                                Deadline deadline);
/// nullopt: outbox_meta is empty.
std::optional<IdentityFacts> read_identity(postgres::Connection& session, Deadline deadline);
/// Of the first hundred thousand unsent events.
std::vector<UnsentEvents> read_unsent(postgres::Connection& session, Deadline deadline);

} // namespace outbox::check
