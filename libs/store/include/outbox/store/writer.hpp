#pragma once

#include <outbox/core/event.hpp>
#include <outbox/postgres/transaction.hpp>

namespace outbox::store {

/// Inserts one event into the outbox, inside the caller's transaction.
/// For order per key, lock or change the aggregate's row in the same transaction first.
/// @throws postgres::DatabaseError
void write_event(postgres::Transaction& transaction, const NewEvent& event);

} // namespace outbox::store
