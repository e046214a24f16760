#pragma once

#include <outbox/store/shard_database.hpp>
#include <outbox/store/unreadable.hpp>

#include <vector>

namespace outbox::relay {

/// The session in which the rows of a pipeline's shards are read and written; it is made anew where it broke.
/// Not thread-safe.
class ShardSession {
public:
    ShardSession() = default;
    ShardSession(const ShardSession&) = delete;
    ShardSession& operator=(const ShardSession&) = delete;
    virtual ~ShardSession() = default;

    /// Ends the session, where there is one, and makes a new one. @throws DatabaseError
    virtual void open() = 0;
    virtual void close() = 0;
    /// Whether there is one.
    [[nodiscard]] virtual bool is_open() const = 0;
    /// Whether there is one, and it is not broken.
    [[nodiscard]] virtual bool usable() const = 0;

    /// @pre is_open()
    virtual store::ShardDatabase& database() = 0;

    /// Those of the rows of the newest claim, which failed, that cannot be read. Empty when the failure lies
    /// with none of them. In sessions of its own. @throws DatabaseError for a failure that lies with no row
    virtual std::vector<store::UnreadableRow> find_unreadable() = 0;
    /// The same of those that cannot be changed, one of each bucket.
    virtual std::vector<store::UnreadableRow> find_refused() = 0;
};

} // namespace outbox::relay
