#pragma once

#include "outbox/backfill/replay.hpp"
#include "outbox/backfill/survey.hpp"

#include <functional>

namespace outbox::backfill {

/// Has PostgreSQL learn where the numbers lie that came since the last VACUUM: without it each statement
/// would read all of their pages. @throws Error(stop) when `go_on` says so
void summarize(store::Backfills& runs, const Selection& selection, const Reporter& reporter,
               const std::function<bool()>& go_on);

/// Counts what is selected, up to `last_seq`, after such a look.
/// @throws Error(stop) when nothing is, or `go_on` says so
Survey count_events(store::Backfills& runs, store::History& history, const Selection& selection,
                    const relay::TopicTemplate& topic, std::int64_t last_seq, const Reporter& reporter,
                    const std::function<bool()>& go_on);

} // namespace outbox::backfill
