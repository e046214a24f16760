#pragma once

#include "database.hpp"
#include "outbox/check/check.hpp"

#include <optional>
#include <vector>

namespace outbox::check {

/// Asks the brokers, step by step; a step that fails has the later ones skipped.
/// @param identity  nullopt: the database did not tell
void look_at_kafka(const Request& request, const std::optional<IdentityFacts>& identity,
                   const std::vector<UnsentEvents>& unsent, std::vector<Line>& lines);

} // namespace outbox::check
