// Prints scripts that complete a program's command line in bash, zsh and fish. Nothing is asked of the
// program while somebody types: all verbs, options and choices stand in the script, made from the same
// table as --help. Each shell has its own section below: how it quotes, and which of its functions take
// what.

#include "outbox/core/completion.hpp"

#include "outbox/core/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace outbox {
namespace {

/// What a shell needs to know about one option, be it a setting's flag or not.
struct Completed {
    std::string name; ///< without dashes
    std::string meaning;
    std::string value;                ///< what stands for its value; empty: a switch
    std::vector<std::string> choices; ///< empty: nobody can guess the value
    bool file = false;                ///< the value is a path
};

/// Parts between separators; empty ones inside count, one at the end does not.
std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts;
    while (!text.empty()) {
        const auto end = std::min(text.find(separator), text.size());
        parts.emplace_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return parts;
}

/// @param patterns  "DB_*, OUTBOX_NAME", as a verb names the settings that it reads
bool is_named(std::string_view setting, std::string_view patterns) {
    return std::ranges::any_of(split(patterns, ','), [&](std::string_view pattern) {
        pattern.remove_prefix(pattern.starts_with(' ') ? 1 : 0);
        return pattern.ends_with('*') ? setting.starts_with(pattern.substr(0, pattern.size() - 1))
                                      : setting == pattern;
    });
}

/// An option of a verb; "FILE" and "DIR" as the name of its value mean that a path follows.
Completed completed(const Option& option) {
    return {option.name, option.meaning, option.value, {}, option.value == "FILE" || option.value == "DIR"};
}

/// A setting's flag; a choice is completed by its choices, a file by paths.
Completed completed(const Setting& setting) {
    Completed all{setting.flag().substr(2), std::string(setting.meaning), setting.type_name(), {}, false};
    if (setting.kind == Setting::Kind::choice) {
        all.choices = split(setting.choices, '|');
    }
    all.file = setting.name.ends_with("_FILE") || setting.name.ends_with("_LOCATION");
    return all;
}

/// @param verb  null: without one
std::vector<Completed> options_of(const CommandLineSpec& spec, const Verb* verb) {
    std::vector<Completed> all{{"help", "print help", "", {}, false},
                               {"config", "TOML file with settings", "FILE", {}, true}};
    if (verb == nullptr) {
        all.push_back({"version", "print the version", "", {}, false});
        all.push_back({"print-config", "print the settings that are in force", "", {}, false});
    }
    std::ranges::transform(verb == nullptr ? spec.options : verb->options, std::back_inserter(all),
                           [](const Option& option) { return completed(option); });
    for (const Setting& setting : all_settings()) {
        if (setting.belongs_to(spec.program) && (verb == nullptr || is_named(setting.name, verb->settings))) {
            all.push_back(completed(setting));
        }
    }
    return all;
}

/// Words that every program takes, and the verbs: name and summary.
std::vector<std::pair<std::string, std::string>> first_words(const CommandLineSpec& spec) {
    std::vector<std::pair<std::string, std::string>> words;
    for (const Verb& verb : spec.verbs) {
        words.emplace_back(verb.name, verb.summary);
    }
    words.emplace_back("help", "print help, of a verb too");
    words.emplace_back("man", "print the manual page");
    words.emplace_back("completion", "print this script, for bash, zsh or fish");
    return words;
}

/// `text` with a backslash before each of `special`.
std::string escaped(std::string_view text, std::string_view special) {
    std::string safe;
    for (const char c : text) {
        if (special.find(c) != std::string_view::npos) {
            safe += '\\';
        }
        safe += c;
    }
    return safe;
}

/// The words in one text with the separator between them.
std::string joined(const std::vector<std::string>& words, const char* separator = " ") {
    std::string text;
    for (const std::string& word : words) {
        text += (text.empty() ? "" : separator) + word;
    }
    return text;
}

/// A name that a shell function may have.
std::string function_of(const CommandLineSpec& spec) {
    std::string name = "_" + spec.name;
    std::ranges::replace(name, '-', '_');
    return name;
}

// ---- bash

/// All options as bash's compgen takes them.
std::string bash_words(const std::vector<Completed>& options) {
    std::vector<std::string> words;
    for (const Completed& option : options) {
        words.push_back("--" + option.name);
    }
    return joined(words);
}

/// What may follow each option that takes a value.
std::string bash_values(const CommandLineSpec& spec) {
    std::vector<Completed> all = options_of(spec, nullptr);
    for (const Verb& verb : spec.verbs) {
        std::ranges::transform(verb.options, std::back_inserter(all),
                               [](const Option& option) { return completed(option); });
    }
    std::vector<std::string> files;
    std::vector<std::string> others;
    std::string text;
    for (const Completed& option : all) {
        if (!option.choices.empty()) {
            text += fmt::format("    --{}) COMPREPLY=($(compgen -W '{}' -- \"$cur\")); return ;;\n",
                                option.name, joined(option.choices));
        } else if (!option.value.empty()) {
            (option.file ? files : others).push_back("--" + option.name);
        }
    }
    return text +
           fmt::format("    {}) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", joined(files, "|")) +
           (others.empty() ? "" : fmt::format("    {}) return ;;\n", joined(others, "|")));
}

/// bash has no texts for its words. The script finds the verb among the words typed so far, then offers
/// the verb's options; before that, the value of the option that stands in front. COMP_WORDS splits at
/// '=', so "--log-level=" is three words there, which the second `if` undoes.
std::string bash(const CommandLineSpec& spec) {
    std::vector<std::string> words;
    for (const auto& [word, summary] : first_words(spec)) {
        words.push_back(word);
    }
    // COMP_WORDBREAKS has '=' in it, so a value after it stands in a word of its own.
    std::string text =
        fmt::format("# bash completion of {0}; {0} completion bash prints it.\n"
                    "{1}() {{\n"
                    "  local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} "
                    "verb= i\n"
                    "  COMPREPLY=()\n"
                    "  if [[ $cur == '=' ]]; then cur=; "
                    "elif [[ $prev == '=' ]]; then prev=${{COMP_WORDS[COMP_CWORD-2]}}; fi\n"
                    "  for ((i = 1; i < COMP_CWORD; ++i)); do\n"
                    "    case ${{COMP_WORDS[i]}} in\n"
                    "    {2}) verb=${{COMP_WORDS[i]}}; break ;;\n"
                    "    esac\n"
                    "  done\n"
                    "  case $prev in\n",
                    spec.name, function_of(spec), joined(words, "|"));
    text += bash_values(spec) + "  esac\n  case $verb in\n";
    for (const Verb& verb : spec.verbs) {
        text += fmt::format("  {}) COMPREPLY=($(compgen -W '{}' -- \"$cur\")) ;;\n", verb.name,
                            bash_words(options_of(spec, &verb)));
    }
    text += "  completion) COMPREPLY=($(compgen -W 'bash zsh fish' -- \"$cur\")) ;;\n  man) ;;\n";
    // `help` takes a verb as its word.
    std::vector<std::string> names;
    std::ranges::transform(spec.verbs, std::back_inserter(names), &Verb::name);
    text += fmt::format("  help) COMPREPLY=($(compgen -W '{}' -- \"$cur\")) ;;\n", joined(names));
    return text + fmt::format("  *) COMPREPLY=($(compgen -W '{} {}' -- \"$cur\")) ;;\n  esac\n}}\n"
                              "complete -F {} {}\n",
                              joined(words), bash_words(options_of(spec, nullptr)), function_of(spec),
                              spec.name);
}

// ---- zsh

/// One option as _arguments takes it, in single quotes.
std::string zsh_option(const Completed& option) {
    const auto quoted = [](std::string_view text) {
        std::string safe;
        for (const char c : escaped(text, "\\[]:")) {
            safe += c == '\'' ? std::string("'\\''") : std::string(1, c);
        }
        return safe;
    };
    std::string action;
    if (!option.value.empty()) {
        action = ':' + quoted(option.value) + ':' +
                 (option.file              ? "_files"
                  : option.choices.empty() ? " "
                                           : "(" + joined(option.choices) + ")");
    }
    return fmt::format(" \\\n    '--{}{}[{}]{}'", option.name, option.value.empty() ? "" : "=",
                       quoted(option.meaning), action);
}

/// All options of a verb, or of the program without one.
std::string zsh_options(const std::vector<Completed>& options) {
    std::string text;
    for (const Completed& option : options) {
        text += zsh_option(option);
    }
    return text;
}

/// zsh's completion is one function with a case for each verb.
std::string zsh(const CommandLineSpec& spec) {
    std::string verbs;
    std::vector<std::string> names;
    for (const auto& [word, summary] : first_words(spec)) {
        std::string safe = escaped(summary, "\\:");
        for (auto at = safe.find('\''); at != std::string::npos; at = safe.find('\'', at + 4)) {
            safe.replace(at, 1, "'\\''");
        }
        verbs += fmt::format("    '{}:{}'\n", word, safe);
        names.push_back(word);
    }
    // _arguments sees the words from the verb on, as if the verb were the command.
    std::string text =
        fmt::format("#compdef {0}\n# zsh completion of {0}; {0} completion zsh prints it.\n{1}() {{\n"
                    "  local verb= i\n  local -a verbs=(\n{2}  )\n"
                    "  for ((i = 2; i < CURRENT; ++i)); do\n    case $words[i] in\n"
                    "    {3}) verb=$words[i]; break ;;\n    esac\n  done\n"
                    "  if [[ -n $verb ]]; then\n    shift $((i - 1)) words\n"
                    "    ((CURRENT -= i - 1))\n  fi\n  case $verb in\n",
                    spec.name, function_of(spec), verbs, joined(names, "|"));
    for (const Verb& verb : spec.verbs) {
        text += fmt::format("  {}) _arguments{} ;;\n", verb.name, zsh_options(options_of(spec, &verb)));
    }
    text += "  completion) _arguments '*:shell:(bash zsh fish)' ;;\n"
            "  help) _describe verb verbs ;;\n  man) ;;\n";
    // zsh calls the file as a function when it finds it by its name; else somebody has sourced it.
    return text + fmt::format("  *) _arguments '*::: :->first'{0}\n"
                              "     [[ $words[CURRENT] == -* ]] || _describe word verbs ;;\n  esac\n}}\n"
                              "if [[ $funcstack[1] == _{2} ]]; then {1} \"$@\"; else compdef {1} {2}; fi\n",
                              zsh_options(options_of(spec, nullptr)), function_of(spec), spec.name);
}

// ---- fish

/// One `complete` line. -x takes a value and no file, -r -F a value that is a file.
std::string fish_option(const CommandLineSpec& spec, const std::string& when, const Completed& option) {
    const auto quoted = [](std::string_view text) { return '\'' + escaped(text, "\\'") + '\''; };
    std::string values;
    if (option.file) {
        values = " -r -F";
    } else if (!option.choices.empty()) {
        values = " -x -a " + quoted(joined(option.choices));
    } else if (!option.value.empty()) {
        values = " -x";
    }
    return fmt::format("complete -c {} -n {} -l {} -d {}{}\n", spec.name, quoted(when), option.name,
                       quoted(option.meaning), values);
}

/// fish decides line by line whether a suggestion applies, by the words that were typed already.
std::string fish(const CommandLineSpec& spec) {
    const auto quoted = [](std::string_view text) { return '\'' + escaped(text, "\\'") + '\''; };
    std::vector<std::string> names;
    std::string text = fmt::format("# fish completion of {0}; {0} completion fish prints it.\n"
                                   "complete -c {0} -f\n",
                                   spec.name);
    for (const auto& [word, summary] : first_words(spec)) {
        text += fmt::format("complete -c {} -n __fish_use_subcommand -a {} -d {}\n", spec.name, word,
                            quoted(summary));
        names.push_back(word);
    }
    for (const Completed& option : options_of(spec, nullptr)) {
        text += fish_option(spec, "not __fish_seen_subcommand_from " + joined(names), option);
    }
    for (const Verb& verb : spec.verbs) {
        for (const Completed& option : options_of(spec, &verb)) {
            text += fish_option(spec, "__fish_seen_subcommand_from " + verb.name, option);
        }
    }
    return text +
           fmt::format("complete -c {} -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n",
                       spec.name);
}

} // namespace

std::string completion_of(const CommandLineSpec& spec, std::string_view shell) {
    if (shell == "bash") {
        return bash(spec);
    }
    if (shell == "zsh") {
        return zsh(spec);
    }
    if (shell == "fish") {
        return fish(spec);
    }
    throw UsageError(
        fmt::format("{0} is not a shell that is known here: type {1} completion bash, zsh or fish",
                    shell.empty() ? "nothing" : shell, spec.name));
}

} // namespace outbox
