#pragma once

#include <outbox/core/command_line.hpp>

#include <string>
#include <string_view>

namespace outbox {

/// A script that completes the program's words, options and settings in a shell, made of the same table as
/// its
/// --help. @param shell  bash, zsh or fish. @throws UsageError for any other.
std::string completion_of(const CommandLineSpec& spec, std::string_view shell);

} // namespace outbox
