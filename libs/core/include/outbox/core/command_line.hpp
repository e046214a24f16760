#pragma once

#include <outbox/core/settings.hpp>

#include <functional>
#include <map>
#include <string>
#include <vector>

namespace outbox {

/// What a program's command line says beyond its settings.
struct Arguments {
    Settings settings;
    std::vector<std::string> words;             ///< positional arguments, in order
    std::map<std::string, std::string> options; ///< extra options by name without dashes; switches are empty
};

struct CommandLineSpec {
    Program program{};
    std::string name;                                 ///< "outbox-relay"
    std::string description;                          ///< first lines of --help
    std::string words_help;                           ///< empty: no positional arguments allowed
    std::map<std::string, std::string> options;       ///< extra options: name -> help
    std::map<std::string, std::string> switches = {}; ///< extra options that take no value: name -> help
};

/// Reads flags and environment. --help and --version print to stdout and exit 0.
/// Go-style single dashes (-db-host) are taken as double ones.
/// @throws UsageError for anything that is not understood.
Arguments parse_command_line(const CommandLineSpec& spec, int argc, const char* const* argv);

/// The frame of every main(): runs `body`, prints one line for what it throws.
/// @return 0 done, 1 failed, 2 bad usage; else what `body` returned.
int run_program(const CommandLineSpec& spec, int argc, const char* const* argv,
                const std::function<int(const Arguments&)>& body);

} // namespace outbox
