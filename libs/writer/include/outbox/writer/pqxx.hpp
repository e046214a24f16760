#pragma once

#include <outbox/writer/insert.hpp>

#include <pqxx/dbtransaction>
#include <pqxx/result>
#include <pqxx/subtransaction>
#include <span>

// Header only, so that this library needs no libpqxx. Tested with libpqxx 6.4; it keeps to what libpqxx 7 has
// too, and is untested there.
namespace outbox {

/// Adds many events to the transaction with one statement, in their order. Never commits: that is the
/// caller's. The type leaves out pqxx::nontransaction, which would commit the event alone.
/// The connection's client_encoding must be UTF8.
///
/// @throws what libpqxx throws: pqxx::sql_error, pqxx::broken_connection.
inline void add_events(pqxx::dbtransaction& transaction, std::span<const Event> events) {
    if (events.empty()) {
        return;
    }
    if (dynamic_cast<pqxx::subtransaction*>(&transaction) != nullptr) {
        // libpqxx 6 sets a subtransaction's savepoint with exec(), but not with exec_params(): without this
        // the events would outlive a subtransaction that is aborted.
        transaction.exec("SELECT 1");
    }
    const auto values = insert_parameters(events);
    transaction.exec_params(insert_statement, values[0], values[1], values[2], values[3], values[4],
                            values[5], values[6], values[7], values[8], values[9], values[10], values[11]);
}

/// Adds one event to the transaction. For order per key, lock or change the aggregate's row in it first.
/// @throws as add_events
inline void add_event(pqxx::dbtransaction& transaction, const Event& event) {
    add_events(transaction, std::span(&event, 1));
}

} // namespace outbox
