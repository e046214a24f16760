#pragma once

#include <outbox/postgres/connection.hpp>

#include <string>
#include <vector>

namespace outbox::store {

/// A table of the user's own that is served, but its rows do not become events any more, or its inserts fail.
struct Unserved {
    std::string table; ///< as in SQL
    std::string why;   ///< one line, which names the table and says what to type
};

/// The tables that are served and in trouble, empty when all is well; a line too when the role may not
/// look.
std::vector<Unserved> unserved_tables(postgres::Connection& connection, Deadline deadline);

} // namespace outbox::store
