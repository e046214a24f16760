#pragma once

#include "outbox/backfill/replay.hpp"
#include "outbox/backfill/survey.hpp"

#include <functional>

namespace outbox::backfill {

/// Counts what is selected, up to `last_seq`, having PostgreSQL first learn where its numbers lie.
/// @throws Error(stop) when nothing is, or `go_on` says so
Survey count_events(store::Backfills& runs, store::History& history, const Selection& selection,
                    const relay::TopicTemplate& topic, std::int64_t last_seq, const Reporter& reporter,
                    const std::function<bool()>& go_on);

} // namespace outbox::backfill
