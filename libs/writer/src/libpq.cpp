// Writes events on the caller's libpq connection. It never begins, commits or rolls back: the event
// belongs to the transaction of the business rows, and one that stood alone would break the whole
// promise. So it refuses a connection without a transaction.

#include "outbox/writer/libpq.hpp"

#include <outbox/writer/insert.hpp>

#include <libpq-fe.h>

#include <array>
#include <memory>
#include <string_view>
#include <tuple>

namespace outbox {
namespace {

/// Frees a result, for std::unique_ptr.
struct Clear {
    void operator()(PGresult* result) const noexcept { PQclear(result); }
};

/// What would store the event outside of a transaction, or as other characters.
void require_transaction(PGconn* connection) {
    switch (PQtransactionStatus(connection)) {
    case PQTRANS_INTRANS:
        break;
    case PQTRANS_IDLE:
        throw WriteError("outbox: the connection is in no transaction; begin one, for the event and the rows "
                         "it tells of",
                         "");
    case PQTRANS_INERROR:
        throw WriteError("outbox: the transaction has failed before the event; roll it back", "25P02");
    case PQTRANS_ACTIVE:
        throw WriteError("outbox: the connection is busy with another statement", "");
    case PQTRANS_UNKNOWN:
        throw WriteError("outbox: the connection is broken", "");
    }
    const char* const encoding = PQparameterStatus(connection, "client_encoding");
    if (encoding != nullptr && std::string_view(encoding) != "UTF8") {
        throw WriteError("outbox: client_encoding is " + std::string(encoding) + ", and events are UTF8", "");
    }
}

/// @throws WriteError with the server's words and SQLSTATE
void require_success(PGconn* connection, const PGresult* result) {
    if (PQresultStatus(result) == PGRES_COMMAND_OK) {
        return;
    }
    const char* const state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char* const message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    throw WriteError("outbox: the event was not written: " +
                         std::string(message != nullptr ? message : PQerrorMessage(connection)),
                     state != nullptr ? state : "");
}

} // namespace

void add_event(PGconn* connection, const Event& event) {
    add_events(connection, std::span(&event, 1));
}

void add_events(PGconn* connection, std::span<const Event> events) {
    if (events.empty()) {
        return;
    }
    require_transaction(connection);
    const auto parameters = insert_parameters(events);
    std::array<const char*, std::tuple_size_v<decltype(parameters)>> values{};
    for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = parameters[i].c_str();
    }
    const std::unique_ptr<PGresult, Clear> result(PQexecParams(connection, insert_statement,
                                                               static_cast<int>(values.size()), nullptr,
                                                               values.data(), nullptr, nullptr, 0));
    require_success(connection, result.get());
}

} // namespace outbox
