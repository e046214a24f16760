#pragma once

#include <outbox/postgres/connection.hpp>

#include <optional>
#include <string>

namespace outbox::verbs {

/// Who this outbox is, as the database says; no cluster and no name before the first start of a relay.
struct Belonging {
    Uuid outbox_id;
    std::optional<std::string> name;
    std::optional<std::string> cluster;
};

/// Reads it. @throws Error when the outbox has no identity
Belonging belonging(postgres::Connection& connection);

/// Takes the locks of every shard until the session ends: no relay acquires one, marks or claims.
/// @return why not: a relay is alive
std::optional<std::string> lock_out_relays(postgres::Connection& connection);

} // namespace outbox::verbs
