#include "outbox/store/lag.hpp"

#include <outbox/store/sql/lag.hpp>

#include <algorithm>

namespace outbox::store {
namespace {

using postgres::Result;

milliseconds never_negative(std::int64_t number) {
    return milliseconds(std::max<std::int64_t>(0, number));
}

} // namespace

Lag read_lag(postgres::Connection& primary, milliseconds timeout) {
    const Result found = primary.run(sql::read_lag, {}, Deadline::in(timeout));
    return {never_negative(found.integer(0, 0)), never_negative(found.integer(0, 1))};
}

milliseconds replica_lag(postgres::Connection& replica, milliseconds timeout) {
    return never_negative(replica.run(sql::read_replica_lag, {}, Deadline::in(timeout)).integer(0, 0));
}

} // namespace outbox::store
