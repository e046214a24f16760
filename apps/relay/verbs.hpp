#pragma once

#include <outbox/core/command_line.hpp>

namespace outbox {

/// Tells --help of the verbs, and the command line of their options.
void add_verbs(CommandLineSpec& spec);

/// Does what the first word says. @pre there are words. @return the exit code
/// @throws UsageError for everything that is not a verb with what belongs to it.
int run_verb(const Arguments& arguments);

/// @throws UsageError when options of verbs were given without one.
void refuse_options_without_verb(const Arguments& arguments);

} // namespace outbox
