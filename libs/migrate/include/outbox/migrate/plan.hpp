#pragma once

#include <outbox/migrate/migration.hpp>

#include <tl/expected.hpp>

#include <string>
#include <vector>

namespace outbox::migrations {

/// The steps to take, first one first. They point into the list the plan was made from.
using Steps = std::vector<const Migration*>;
/// The steps, or why nothing must be done.
using Plan = tl::expected<Steps, Refusal>;

/// What `up` has to do. Pure, as all of this file.
/// @param files    in the order of their versions, with checksums
/// @param history  in the order of versions
/// @return a refusal when an applied file was edited or is missing, or when the history of a set has a gap.
Plan plan_up(const std::vector<Migration>& files, const std::vector<Applied>& history);

/// What `down count` has to do: newest first.
/// @return the refusals of plan_up, one when less is applied, and one when a step has no down file.
Plan plan_down(const std::vector<Migration>& files, const std::vector<Applied>& history, int count);

/// One line of `status`.
struct StatusLine {
    Set set = Set::outbox;
    int version = 0;
    std::string name;
    std::string state; ///< applied, adopted, pending, left out; edited or missing where `up` would refuse
    std::string applied_at; ///< empty: not applied
};

/// Every step that is applied or could be, in the order of versions.
std::vector<StatusLine> status_of(const std::vector<Migration>& files, const std::vector<Applied>& history);

/// What is pending of this set is left out.
void leave_out(std::vector<StatusLine>& lines, Set set);

/// The lines as a table with a heading, for people and for awk.
std::string table_of(const std::vector<StatusLine>& lines);

} // namespace outbox::migrations
