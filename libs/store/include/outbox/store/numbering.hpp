#pragma once

#include <outbox/postgres/connection.hpp>

#include <cstdint>
#include <optional>
#include <string>

namespace outbox::store {

/// Which events are looked at for the newest seq.
enum class Look {
    unsent,    ///< those that indexes lead to: unsent, FAILED, and what shards have claimed; a millisecond
    everywhere ///< every event; reads pages that no summary covers yet, so a fresh copy as a whole
};

/// The newest seq of the table where the identity that gives the numbers stands below it: as after a move of
/// the database by logical replication, which does not carry sequences, or where numbers were given by hand.
/// New events would overtake older ones of their key. What was numbered by hand near the end does not count:
/// behind it the numbers would soon be used up, and then every insert fails.
std::optional<std::int64_t> newest_above_identity(postgres::Connection& connection, Look look,
                                                  Deadline deadline);

/// An event, unsent or FAILED, that was numbered near the end.
struct Numbered {
    std::string id = {};
    std::int64_t seq = 0;
};
/// The event of the largest number where that is too near the end of the numbering; nullopt where none
/// is.
std::optional<Numbered> event_at_the_end(postgres::Connection& connection, Deadline deadline);

/// Moves the identity past `seq`, unless that is near the end. @return whether it stood below
bool move_identity(postgres::Connection& connection, std::int64_t seq, Deadline deadline);

/// Both. @return the newest seq when the identity was moved past it
std::optional<std::int64_t> mend_identity(postgres::Connection& connection, Look look, Deadline deadline);

} // namespace outbox::store
