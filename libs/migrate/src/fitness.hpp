#pragma once

#include <outbox/migrate/runner.hpp>
#include <outbox/postgres/connection.hpp>

#include <string>
#include <vector>

namespace outbox::migrations {

/// Looks at what stands there before anything is changed, and says what is to be known of it.
/// @param convert  the user asks for the conversions that lose nothing
/// @return the statements that convert it, to be run with the steps
/// @throws Error with one line for each thing that would break the promise
std::vector<std::string> require_fit(postgres::Connection& connection, bool convert,
                                     const Runner::Progress& progress, Deadline deadline);

/// The one row that says who the outbox is: made anew where nothing was sent yet. @throws Error where
/// something was
void mend_meta(postgres::Connection& connection, const Runner::Progress& progress, Deadline deadline);

/// Makes our triggers on outbox_events anew where they are gone, unless writers are long in the way; says so.
/// @param files  all of them: one of them makes the triggers, and may be run again
void mend_triggers(postgres::Connection& connection, const std::vector<Migration>& files,
                   const Runner::Progress& progress, Deadline deadline);

/// Moves the identity of seq past the newest event, where it stands below; says so.
void mend_numbering(postgres::Connection& connection, const Runner::Progress& progress, Deadline deadline);

} // namespace outbox::migrations
