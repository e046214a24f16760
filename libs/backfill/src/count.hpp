#pragma once

#include "outbox/backfill/replay.hpp"
#include "outbox/backfill/survey.hpp"

#include <functional>
#include <string>
#include <vector>

namespace outbox::backfill {

/// Has PostgreSQL learn where the numbers lie that came since the last VACUUM: without it each statement
/// would read all of their pages. @throws Error(stop) when `go_on` says so
void summarize(store::Backfills& runs, const Selection& selection, const Reporter& reporter,
               const std::function<bool()>& go_on);

/// What a run would be about, if it began now. The same for a dry run and for a run.
struct Members {
    Selection selection; ///< with all that decides
    store::Stillness still;
    Survey survey;
    std::vector<std::string> left_out; ///< what was asked for and is not among them, a line each
    std::vector<std::string> notes;    ///< what else should be known, a line each
};

/// Fixes what the selection means now, and counts it.
/// @throws Error(stop) when nothing is selected, a writer does not end, or `go_on` says so; UsageError for
/// what is no time
Members find_members(const Surroundings& surroundings, store::Backfills& runs, postgres::Connection& primary,
                     const Request& request, const Reporter& reporter, const std::function<bool()>& go_on);

/// The selection with times that mean the same whenever they are read. @throws UsageError for what is no time
Selection with_times(store::Backfills& runs, Selection selection);

/// Reads the members. @param primary  outlives it
store::History history_of(const Surroundings& surroundings, postgres::Connection& primary,
                          const Members& members, const std::function<bool()>& go_on);

} // namespace outbox::backfill
