#pragma once

#include <outbox/writer/event.hpp>

#include <span>
#include <stdexcept>
#include <string>
#include <utility>

struct pg_conn; // PGconn of libpq-fe.h

namespace outbox {

/// The database did not take the events, or the connection was in no state to be asked. After an answer of
/// the server the transaction can only be rolled back (or back to a savepoint), as after any failed
/// statement.
class WriteError final : public std::runtime_error {
public:
    /// @param sqlstate  of the server, or empty
    WriteError(const std::string& message, std::string sqlstate)
        : std::runtime_error(message),
          sqlstate_(std::move(sqlstate)) {}

    /// Five characters of the server; empty when it gave no answer.
    [[nodiscard]] const std::string& sqlstate() const noexcept { return sqlstate_; }

private:
    std::string sqlstate_;
};

/// Adds one event to the transaction that the connection is in. Never begins, commits or rolls back.
/// For order per key, lock or change the aggregate's row in the same transaction first.
/// Blocks until the server answers. Not thread-safe: one thread at a time for a connection, as libpq asks.
///
/// @param connection  the caller's; in a transaction, not in pipeline mode, client_encoding UTF8.
/// @throws WriteError
void add_event(pg_conn* connection, const Event& event);

/// Adds many with one statement, in their order. None of them stands alone: all or an error.
/// Memory: about twice the events' own; some thousands a call is a good size. Nothing is asked for no events.
/// @throws WriteError
void add_events(pg_conn* connection, std::span<const Event> events);

} // namespace outbox
