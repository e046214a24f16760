#pragma once

#include <outbox/postgres/connection.hpp>

namespace outbox::store {

/// How far others are behind at this moment.
struct Lag {
    milliseconds relay{0};       ///< for how long the oldest ready event of a shard that is served has waited
    milliseconds replication{0}; ///< the slowest replica that this role may see
};

/// One cheap statement on the primary. Shards that are stopped, paused or without a living relay do not
/// count: they are behind for another reason, and nobody is disturbed there.
Lag read_lag(postgres::Connection& primary, milliseconds timeout);

/// How far a replica is behind by its own account. Zero on a primary.
milliseconds replica_lag(postgres::Connection& replica, milliseconds timeout);

} // namespace outbox::store
