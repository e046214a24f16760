#pragma once

#include "outbox/backfill/replay.hpp"

namespace outbox::backfill {

/// What a run has published is gone with its topic, and nobody else would say so.
/// @throws Error(stop) when a topic that it has sent to is another one by now
void require_same_topics(delivery::TopicWatch& watch, const store::BackfillRun& run, const Resume& resume);

} // namespace outbox::backfill
