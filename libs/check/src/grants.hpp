#pragma once

#include "outbox/check/check.hpp"

#include <string>
#include <vector>

namespace outbox::check {

/// A right to a table, a sequence, or a column of a table.
struct Grant {
    std::string relation;
    std::string column; ///< empty: of the whole relation
    std::string privilege;

    bool operator==(const Grant&) const = default;
};

/// What the program needs, as deploy/postgres/roles.sql grants it.
/// @param sequence  that numbers the events; empty: not known
std::vector<Grant> grants_for(Needs needs, const std::string& sequence);

/// One statement for each relation that gives what is missing.
std::string grant_statements(const std::vector<Grant>& missing, const std::string& role);

} // namespace outbox::check
