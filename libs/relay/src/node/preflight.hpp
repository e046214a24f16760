#pragma once

#include <outbox/postgres/connection.hpp>
#include <outbox/relay/observer.hpp>
#include <outbox/survey/survey.hpp>

#include <set>
#include <string>

namespace outbox::relay {

/// Looks at the database again and again, and tells what is new and what is mended; not thread-safe.
class Preflight {
public:
    /// @param observer  outlives it
    explicit Preflight(Observer& observer) : observer_(observer) {}

    /// @return whether events may be sent. @throws DatabaseError
    bool clear(postgres::Connection& session, Deadline deadline);

private:
    Observer& observer_;
    std::set<std::string> known_; ///< findings that were told
};

} // namespace outbox::relay
