#pragma once

#include <optional>
#include <string>

namespace outbox::migrations {

/// What `outbox-migrate sql` prints: a statement about the outbox's tables for psql, with its comment;
/// without a name the names of all of them, one a line.
/// @throws UsageError for a name that there is not
std::string statement_text(const std::optional<std::string>& name);

} // namespace outbox::migrations
