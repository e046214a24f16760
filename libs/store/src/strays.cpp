// Rows that somebody else has put where no claim looks: set to PROCESSING or held aside by hand. No
// relay has them in flight, so they would wait for ever. They are found by a bounded walk and given
// back to the claims.
#include "outbox/store/shard.hpp"
#include "outbox/store/texts.hpp"

#include <outbox/store/sql/strays.hpp>

namespace outbox::store {
namespace {

using postgres::Statement;

/// Rows of a bucket that one look walks over; what lies behind them comes to the front.
constexpr std::int64_t most_walked = 10'000;

} // namespace

postgres::Params ShardStore::strays(std::span<const std::int64_t> in_flight) const {
    return {numbers(buckets_in_order_), numbers(floors_of(buckets_in_order_)), numbers(in_flight),
            most_walked};
}

bool ShardStore::has_strays(std::span<const std::int64_t> in_flight) {
    return connection_.run(sql::find_strays, strays(in_flight), Deadline::in(timeout_)).boolean(0, 0);
}

std::size_t Turn::free_strays(std::span<const std::int64_t> in_flight) {
    written_ = true;
    std::size_t freed = 0;
    for (const Statement& statement : {sql::free_strays, sql::free_waiting_strays, sql::block_strays}) {
        freed += static_cast<std::size_t>(transaction_.run(statement, store_.strays(in_flight)).affected());
    }
    return freed;
}

} // namespace outbox::store
