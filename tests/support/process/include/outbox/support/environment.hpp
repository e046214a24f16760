#pragma once

#include <optional>
#include <string>

namespace outbox::support {

/// An environment variable that a test cannot do without.
/// @throws std::runtime_error that names it: a missing server fails the tests, it never skips them.
std::string required_variable(const std::string& name);

/// nullopt when unset or empty.
std::optional<std::string> optional_variable(const std::string& name);

} // namespace outbox::support
