#pragma once

#include <outbox/postgres/connection.hpp>

#include <cstdint>
#include <set>
#include <vector>

namespace outbox::store {

/// How much of a shard is left to do.
struct ShardSample {
    int shard = 0;
    std::int64_t waiting = 0; ///< unsent events
    milliseconds oldest{0};   ///< age of the oldest of them
    std::int64_t failed = 0;  ///< FAILED events
    std::int64_t blocked_keys = 0;
};

/// What a relay's metrics show of the database, at one moment.
struct Sample {
    std::vector<ShardSample> shards;
    milliseconds oldest_transaction{0}; ///< that keeps dead rows, as far as the role may see
};

/// Each count ends here: it costs no more however many there are.
inline constexpr std::int64_t most_sampled = 100'000;

/// Looks at these shards. @throws DatabaseError, also when it takes longer than the session's timeout
Sample read_sample(postgres::Connection& connection, const std::set<int>& shards, Deadline deadline);

} // namespace outbox::store
