// --help of a program and of each verb, printed by CLI11 from the same table (CommandLineSpec) as the
// manual page, the completions and the parser itself. A fresh CLI::App is made for printing alone.

#include "outbox/core/command_line.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <memory>

namespace outbox {
namespace {

/// What a setting is for, with its variable and its default; a secret's default stays untold.
std::string meaning_of(const Setting& setting) {
    const bool shown = !setting.fallback.empty() && setting.kind != Setting::Kind::secret;
    return fmt::format("{} [${}{}{}]", setting.meaning, setting.name, shown ? ", default " : "",
                       shown ? setting.fallback : "");
}

/// Only what it prints is wanted of it.
void add_option(CLI::App& app, const Option& option) {
    if (option.value.empty()) {
        app.add_flag("--" + option.name, option.meaning);
    } else {
        app.add_option("--" + option.name, option.meaning)->type_name(option.value);
    }
}

/// Each line with two blanks before it, as examples stand.
std::string indented(const std::string& lines) {
    std::string text;
    for (std::size_t at = 0; at < lines.size();) {
        const auto end = std::min(lines.find('\n', at), lines.size());
        text += "  " + lines.substr(at, end - at) + '\n';
        at = end + 1;
    }
    return text;
}

/// What stands below the options: exit codes, and the example if there is one.
std::string ending(const std::string& exit_codes, const std::string& example) {
    return "Exit codes: " + exit_codes + '\n' + (example.empty() ? "" : "\nExample:\n" + indented(example));
}

std::string with_words(const std::string& name, const std::string& words) {
    return words.empty() ? name : name + ' ' + words;
}

std::string help_of_verb(const CommandLineSpec& spec, const Verb& verb) {
    const std::string usage = spec.name + ' ' + with_words(verb.name, verb.words);
    CLI::App app{verb.summary + (verb.about.empty() ? "" : ".\n" + verb.about), usage};
    for (const Option& option : verb.options) {
        add_option(app, option);
    }
    app.footer(fmt::format("Settings: {}; {} --help lists them all.\n{}", verb.settings, spec.name,
                           ending(verb.exit_codes, verb.example)));
    return app.help();
}

/// The list of verbs, one line each.
std::string verbs_of(const CommandLineSpec& spec) {
    if (spec.verbs.empty()) {
        return "";
    }
    std::string text = fmt::format("\nVerbs, each with a --help of its own{}:\n",
                                   spec.needs_verb ? "" : "; with one it does not do its usual work");
    for (const Verb& verb : spec.verbs) {
        text += fmt::format("  {:<14} {}\n", with_words(verb.name, verb.words), verb.summary);
    }
    return text;
}

std::string help_of_program(const CommandLineSpec& spec) {
    const std::string words = spec.verbs.empty() ? "" : spec.needs_verb ? "VERB" : "[VERB]";
    CLI::App app{spec.description + '\n' + verbs_of(spec), with_words(spec.name, words)};
    app.set_version_flag("--version", OUTBOX_VERSION);
    app.add_option("--config", "TOML file with settings; variables and flags win over it")->type_name("FILE");
    add_option(
        app,
        {"print-config", "",
         "print each setting, its value and where that came from, and end; with --json as one document"});
    for (const Option& option : spec.options) {
        add_option(app, option);
    }
    for (const Setting& setting : all_settings()) {
        if (setting.belongs_to(spec.program)) {
            const std::string meaning = meaning_of(setting);
            app.add_option(setting.flag(), meaning)->type_name(setting.type_name())->group("Settings");
        }
    }
    app.footer(
        fmt::format("{0} man prints the manual page, {0} completion bash (zsh, fish) a completion.\n\n{1}",
                    spec.name, ending(spec.exit_codes, spec.example)));
    return app.help();
}

} // namespace

std::string help_of(const CommandLineSpec& spec, const Verb* verb) {
    return verb == nullptr ? help_of_program(spec) : help_of_verb(spec, *verb);
}

} // namespace outbox
