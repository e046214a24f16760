#pragma once

#include <outbox/store/backfills.hpp>

#include <string>
#include <vector>

namespace outbox::backfill {

/// What `list` prints: one line a run.
std::string list_text(const std::vector<store::BackfillRun>& runs);

/// What `show` prints. @param published  as Kafka knows it
std::string show_text(const store::BackfillRun& run, std::int64_t published);

} // namespace outbox::backfill
