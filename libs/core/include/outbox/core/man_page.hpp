#pragma once

#include <outbox/core/command_line.hpp>

#include <string>

namespace outbox {

/// The program's manual page in roff (section 1), made of the same table as its --help.
std::string man_page_of(const CommandLineSpec& spec);

} // namespace outbox
