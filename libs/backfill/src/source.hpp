#pragma once

#include "outbox/backfill/replay.hpp"

#include <functional>
#include <string>

namespace outbox::backfill {

/// A session with the server that events are read from, which shows what was on the primary at the position.
/// @throws Error(stop) when it is no replica of the primary, Error(retry) when it does not show it in time
postgres::Connection open_source(const Surroundings& surroundings, postgres::Connection& primary,
                                 const std::string& log_position, const std::function<bool()>& go_on);

} // namespace outbox::backfill
