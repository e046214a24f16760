#pragma once

#include "capture_sql.hpp"

#include <outbox/migrate/mapping.hpp>
#include <outbox/postgres/connection.hpp>

#include <optional>
#include <string>
#include <vector>

// What the catalogue says about tables whose rows become events. The triggers themselves are the only
// register: a table that is dropped, renamed or restored takes its mapping along.
namespace outbox::migrations::captures {

/// Where Debezium's rows end and ours begin.
struct Cut {
    std::string publication;
    std::string slot;
    std::string lsn; ///< all rows that went through Debezium were committed before it
};

/// A trigger that is in place.
struct Capture {
    std::string table;       ///< schema and name, quoted where they must be
    std::string trigger;     ///< its name: two outboxes may serve one table
    std::string function;    ///< schema and name, quoted
    std::string body;        ///< of the function
    std::string description; ///< "id=id aggregate_type=aggregatetype ..."
    std::optional<Cut> cut;
};

/// In the order of their names; empty when there is no outbox.
std::vector<Capture> all(postgres::Connection& connection, Deadline deadline);

/// The user's table.
struct Table {
    std::string oid;
    std::string name; ///< schema and name, quoted
    bool partitioned = false;
    std::string hidden_from = {}; ///< the role of `up`, where row-level security may hide rows from it
    Columns columns;
};

/// @throws Error when it is not there, or cannot be served.
Table find(postgres::Connection& connection, const Mapping& mapping, Deadline deadline);

/// The trigger on that table; nullopt when there is none.
std::optional<Capture> of(postgres::Connection& connection, const Table& table, Deadline deadline);

/// Creates the trigger and its function, or gives the function that is there another body.
void put(postgres::Connection& connection, const Table& table, const CaptureSql& sql,
         const std::optional<Capture>& before, const std::optional<Cut>& cut, Deadline deadline);
/// Functions whose outbox got another schema, or that an older version made, are written anew. @return of
/// which tables
/// @pre a transaction
std::vector<std::string> follow_outbox(postgres::Connection& connection, Deadline deadline);
/// A table whose trigger is gone already, or that is gone itself. @return whether it was known
bool forget(postgres::Connection& connection, const std::string& table, Deadline deadline);
/// Drops the trigger and its function. @pre a transaction in which nobody writes to the table
void remove(postgres::Connection& connection, const Capture& capture, Deadline deadline);

/// What `put` makes the function's body.
std::string body_of(postgres::Connection& connection, const Table& table, const CaptureSql& sql,
                    Deadline deadline);

/// Rows that stand already and could not become events.
struct Misfits {
    std::int64_t count = 0;
    std::string example; ///< the id of one of them
};
/// @throws DatabaseError for one that cannot be converted, naming its id
Misfits find_misfits(postgres::Connection& connection, const Table& table, const CaptureSql& sql,
                     Deadline deadline);
/// Lets this session write texts as the trigger's function does.
void pin_settings(postgres::Connection& connection, Deadline deadline);
/// Makes events of rows that stand already and are none yet. @return how many
std::int64_t send_existing(postgres::Connection& connection, const Table& table, const CaptureSql& sql,
                           Deadline deadline);

} // namespace outbox::migrations::captures
