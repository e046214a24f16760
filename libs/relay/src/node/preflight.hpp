#pragma once

#include <outbox/postgres/connection.hpp>
#include <outbox/survey/survey.hpp>

#include <set>
#include <string>

namespace outbox::relay {

/// Looks at the database again and again, and says what is new and what is mended; not thread-safe.
class Preflight {
public:
    /// @return whether events may be sent. @throws DatabaseError
    bool clear(postgres::Connection& session, Deadline deadline);

private:
    std::set<std::string> known_; ///< findings that were said
};

} // namespace outbox::relay
