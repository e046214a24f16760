#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/kafka/admin.hpp>
#include <outbox/postgres/connection.hpp>

namespace outbox::relay {

/// Says at log level error what makes a server lose what it has acknowledged, with the command that mends it:
/// fsync off in PostgreSQL, unclean leader election of Kafka's own record of transactions. The relay goes on:
/// as long as no server crashes nothing is lost, which is all that a test installation asks for.
/// @throws postgres::DatabaseError. What Kafka refuses to tell is one line of level info.
void warn_of_lossy_servers(postgres::Connection& session, const kafka::Admin& admin, Deadline deadline);

} // namespace outbox::relay
