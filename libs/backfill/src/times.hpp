// How long the parts of a run wait for PostgreSQL.
#pragma once

#include <chrono>

namespace outbox::backfill {

/// What one statement may take; a page of events and a count of pages both stay far below it.
inline constexpr std::chrono::milliseconds statement_time{60'000};

} // namespace outbox::backfill
