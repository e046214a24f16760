#pragma once

#include <outbox/postgres/connection.hpp>

#include <optional>
#include <string>

namespace outbox::store {

/// The newest step of migrations/outbox: what this program was made for.
int schema_version();

/// Whether a program works with a newer database: who only inserts does.
enum class Newer { refused, works };

/// Compares it with the database's.
/// @throws Error that says in one line what to type: with Action::reconnect where `outbox-migrate up` mends
/// it, Action::stop where the program is the older one.
void check_schema(postgres::Connection& connection, milliseconds timeout, Newer newer = Newer::refused);

/// Since when relays delete events that are sent, as text in UTC; nullopt: they never did.
std::optional<std::string> sent_deleted_since(postgres::Connection& connection, milliseconds timeout);

/// Before a relay deletes the first event that it sent: the database knows it from then on.
/// @throws Error(reconnect) that says what to type where it may not
void begin_to_delete(postgres::Connection& connection, milliseconds timeout);

} // namespace outbox::store
