#pragma once

#include <outbox/core/command_line.hpp>

namespace outbox {

/// What outbox-relay understands, its verbs included.
CommandLineSpec command_line();

/// Does what the first word says. @pre it is a verb of command_line(). @return the exit code
int run_verb(const Arguments& arguments);

} // namespace outbox
