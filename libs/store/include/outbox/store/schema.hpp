#pragma once

#include <outbox/postgres/connection.hpp>

namespace outbox::store {

/// The newest step of migrations/outbox: what this program was made for.
int schema_version();

/// Whether a program works with a newer database: who only inserts does.
enum class Newer { refused, works };

/// Compares it with the database's.
/// @throws Error that says in one line what to type: with Action::reconnect where `outbox-migrate up` mends
/// it, Action::stop where the program is the older one.
void check_schema(postgres::Connection& connection, milliseconds timeout, Newer newer = Newer::refused);

} // namespace outbox::store
