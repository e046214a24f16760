#pragma once

#include "outbox/backfill/replay.hpp"

#include <string>
#include <utility>
#include <vector>

namespace outbox::backfill {

/// The run to work on, and whether it was there before.
struct Registered {
    store::BackfillRun run;
    bool resumed = false;
};

/// Finds the run that the request goes on with, or fixes the range of a new one and writes it down.
/// @throws UsageError when the run was about something else, or into its original topic without --yes;
///     Error(stop) when nothing matches, or the target cannot be sent to
Registered register_run(const Surroundings& surroundings, const Request& request, const Reporter& reporter,
                        const std::function<bool()>& go_on);

/// Events a second, and why: what was asked for, what the last finished run did, or what is usual.
std::pair<double, std::string> expected_speed(const std::vector<store::BackfillRun>& runs,
                                              std::optional<std::int64_t> rate);

} // namespace outbox::backfill
