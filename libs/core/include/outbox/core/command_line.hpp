#pragma once

#include <outbox/core/config_places.hpp>
#include <outbox/core/settings.hpp>

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace outbox {

/// What a program's command line says beyond its settings.
struct Arguments {
    Settings settings;
    std::vector<std::string> words;             ///< positional arguments, in order; the verb is the first
    std::map<std::string, std::string> options; ///< extra options by name without dashes; switches are empty
    ConfigPlaces places = {};                   ///< of what the file of --config says and nothing else does
    std::vector<std::string> warnings = {};     ///< what is odd about it, a line each, to be told once

    /// The value of an extra option, nullopt where it was not given.
    [[nodiscard]] std::optional<std::string> option(const std::string& name) const {
        const auto found = options.find(name);
        return found == options.end() ? std::nullopt : std::optional(found->second);
    }
    /// Whether an extra option, or a switch, was given.
    [[nodiscard]] bool given(const std::string& name) const { return options.contains(name); }
};

/// An option beyond the settings. Verbs may share a name; then all take a value, or none does.
struct Option {
    std::string name;    ///< without dashes: "failed-since"
    std::string value;   ///< what stands for its value in --help: "TIME"; empty: a switch
    std::string meaning; ///< what it does, in this verb
};

/// The first word of a command line, which says what the program does instead of its usual work. Everything
/// that `PROGRAM VERB --help` prints stands here, so a new verb or option is a new row and no code.
struct Verb {
    std::string name;
    std::string words;           ///< what follows the name: "", "N", "[N]", "TABLE"
    std::string summary;         ///< one line, for the list in the program's --help
    std::string about;           ///< further lines of the verb's own --help; may be empty
    std::vector<Option> options; ///< that belong to it; any other is refused
    std::string settings;        ///< which settings it reads: "DB_*"
    std::string exit_codes;      ///< "0 done, 1 refused or failed, 2 bad usage"
    std::string example;         ///< one command as typed, or several lines of them
};

/// All that a program's command line may hold, and all that its help says: one constant for each
/// program. Parser, --help, manual page and completions are made from it, so they cannot disagree.
struct CommandLineSpec {
    Program program{};
    std::string name;                 ///< "outbox-relay"
    std::string description;          ///< first lines of --help
    std::vector<Option> options = {}; ///< what it takes without a verb
    std::vector<Verb> verbs = {};     ///< empty: no positional arguments allowed
    bool needs_verb = false;          ///< it does nothing without one
    std::string exit_codes = "0 done, 1 failed, 2 bad usage";
    std::string example = {};
};

/// Reads flags and environment. --help, `help`, and --version print to stdout and exit 0; with a verb, the
/// verb's own help. Go-style single dashes (-db-host) are taken as double ones.
/// @throws UsageError for anything that is not understood; it names what is like it.
Arguments parse_command_line(const CommandLineSpec& spec, int argc, const char* const* argv);

/// The verb that the words ask for; nullptr without one.
/// @throws UsageError when there is none of that name, when it takes fewer words, or other options.
const Verb* verb_of(const CommandLineSpec& spec, const Arguments& arguments);

/// Tells the warnings on stderr: for what prints a result and ends. What goes on has a log for them.
void print_warnings(const CommandLineSpec& spec, const Arguments& arguments);

/// What --help prints: of the program, or of one verb of it.
std::string help_of(const CommandLineSpec& spec, const Verb* verb = nullptr);

/// The frame of every main(): runs `body`, prints one line for what it throws.
/// @return 0 done, 1 failed, 2 bad usage; else what `body` returned.
int run_program(const CommandLineSpec& spec, int argc, const char* const* argv,
                const std::function<int(const Arguments&)>& body);

} // namespace outbox
