#pragma once

#include <outbox/core/command_line.hpp>

#include <functional>

namespace outbox::backfill {

/// Does what the command line says: results go to stdout, progress to stderr.
/// @param go_on  false: end soon, in order
/// @return the exit code. @throws UsageError, Error
int run(const Arguments& arguments, const std::function<bool()>& go_on);

} // namespace outbox::backfill
