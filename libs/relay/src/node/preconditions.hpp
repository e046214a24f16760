#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/kafka/admin.hpp>
#include <outbox/postgres/connection.hpp>
#include <outbox/relay/observer.hpp>

namespace outbox::relay {

/// Tells of what makes a server lose what it has acknowledged:
/// fsync off in PostgreSQL, unclean leader election of Kafka's own record of transactions. The relay goes on:
/// as long as no server crashes nothing is lost, which is all that a test installation asks for.
/// @throws postgres::DatabaseError. What Kafka refuses to tell is told too.
void find_lossy_servers(postgres::Connection& session, const kafka::Admin& admin, Observer& observer,
                        Deadline deadline);

} // namespace outbox::relay
