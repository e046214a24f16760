// How a command line becomes Arguments. CLI11 splits the words; everything that a person reads is said
// here, because CLI11's own messages neither name what is like a misspelt word nor to which verb an
// option belongs. The order matters: help and version first (they need no valid settings), then unknown
// options, then the verb with its words and options, and the settings last, from flag, environment and
// file.

#include "outbox/core/command_line.hpp"

#include "outbox/core/completion.hpp"
#include "outbox/core/environment.hpp"
#include "outbox/core/error.hpp"
#include "outbox/core/man_page.hpp"
#include "outbox/core/nearest.hpp"
#include "outbox/core/one_line.hpp"
#include "print_config.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <set>

namespace outbox {
namespace {

/// Gives an option that begins with one dash its second. Another word that begins so is a value, or a
/// mistake.
std::string with_double_dash(const CLI::App& app, std::string word) {
    const std::string option = "-" + word.substr(0, word.find('='));
    const bool known = word.size() > 2 && word[0] == '-' && app.get_option_no_throw(option) != nullptr;
    return known ? "-" + word : word;
}

/// The arguments as CLI11 takes them, last first.
std::vector<std::string> words_of(const CLI::App& app, int argc, const char* const* argv) {
    std::vector<std::string> words;
    for (int i = 1; i < argc; ++i) {
        words.push_back(with_double_dash(app, argv[i]));
        if (words.back().starts_with("--") && words.back().find('=') == words.back().size() - 1) {
            words.back().pop_back(); // CLI11 would take the next word for the value of "--name="
            words.emplace_back();
        }
    }
    return {words.rbegin(), words.rend()};
}

/// A variable's value, or null; a function of this form is what Settings::load asks.
const char* environment(const char* name) {
    return std::getenv(name); // NOLINT(concurrency-mt-unsafe): read before any thread starts
}

bool has_option(const std::vector<Option>& options, const std::string& name) {
    return std::ranges::any_of(options, [&](const Option& option) { return option.name == name; });
}

/// "up, down [N] or status"
std::string list_of(const std::vector<Verb>& verbs) {
    std::string list;
    for (std::size_t i = 0; i < verbs.size(); ++i) {
        list += i == 0 ? "" : i + 1 == verbs.size() ? " or " : ", ";
        list += verbs[i].name + (verbs[i].words.empty() ? "" : " " + verbs[i].words);
    }
    return list;
}

/// Finds the verb that a word names.
/// @throws UsageError naming the verbs that there are, and the one that is most like it.
const Verb& verb_named(const CommandLineSpec& spec, const std::string& name) {
    std::vector<std::string_view> names{"help", "man", "completion"};
    for (const Verb& verb : spec.verbs) {
        if (verb.name == name) {
            return verb;
        }
        names.emplace_back(verb.name);
    }
    if (spec.verbs.empty()) {
        throw UsageError(
            fmt::format("{} takes no words, and {} is one; see {} --help", spec.name, name, spec.name));
    }
    throw UsageError(fmt::format("{} is not a verb: it must be {}{}", name, list_of(spec.verbs),
                                 did_you_mean(name, names)));
}

/// "belongs to retry and skip, not to pause"
std::string place_of(const CommandLineSpec& spec, const std::string& option, const Verb* verb) {
    std::vector<std::string_view> owners;
    for (const Verb& each : spec.verbs) {
        if (has_option(each.options, option)) {
            owners.emplace_back(each.name);
        }
    }
    if (owners.empty()) {
        return fmt::format("--{} belongs to {} without a verb, not to {}", option, spec.name, verb->name);
    }
    const std::string list = fmt::format("{}", fmt::join(owners, ", "));
    return verb == nullptr ? fmt::format("--{} needs a verb: {}", option, list)
                           : fmt::format("--{} belongs to {}, not to {}", option, list, verb->name);
}

/// How many words may follow the verb: "[N]" is one that need not.
std::size_t most_words(const Verb& verb) {
    return verb.words.empty() ? 0 : 1 + static_cast<std::size_t>(std::ranges::count(verb.words, ' '));
}

/// The command line of a program as CLI11 sees it: settings, options of all verbs, words.
class Parser {
public:
    explicit Parser(const CommandLineSpec& spec) : spec_(spec), app_(spec.description, spec.name) {
        app_.set_version_flag("--version", spec.name + " " + OUTBOX_VERSION);
        app_.add_option("--config", config_);
        for (const Setting& setting : all_settings()) {
            if (setting.belongs_to(spec.program)) {
                app_.add_option(setting.flag(), flags_[std::string(setting.name)])
                    ->type_name(setting.type_name());
            }
        }
        // Options of all verbs are known to CLI11, so that `--force` after a verb that has none
        // is told from a misspelt one. Whether an option belongs to the verb is asked later, in
        // verb_of().
        add(spec.options);
        for (const Verb& verb : spec.verbs) {
            add(verb.options);
        }
        app_.add_flag("--print-config");
        if (app_.get_option_no_throw("--json") == nullptr) {
            app_.add_flag("--json"); // of --print-config
        }
        app_.add_option("words", arguments_.words);
        app_.allow_extras(); // an unknown option is refused by our own words
    }

    Arguments parse(int argc, const char* const* argv) {
        try {
            app_.parse(words_of(app_, argc, argv));
        } catch (const CLI::CallForHelp&) {
            // What follows `--help` may be a verb, and then the verb's own help is meant.
            print_help(app_.get_option("words")->results());
        } catch (const CLI::Success& success) {
            std::exit(app_.exit(success)); // NOLINT(concurrency-mt-unsafe): no thread has started
        } catch (const CLI::ParseError& error) {
            throw UsageError(fmt::format("{}; see {} --help", error.what(), spec_.name));
        }
        print_what_is_asked_for();
        const bool prints_config = app_.count("--print-config") > 0;
        if (prints_config) {
            refuse_unknown();
            load_settings();
            print_config();
        }
        keep_options();
        refuse_unknown();
        verb_of(spec_, arguments_);
        load_settings();
        arguments_.warnings = environment_warnings();
        return std::move(arguments_);
    }

private:
    void add(const std::vector<Option>& options) {
        for (const Option& option : options) {
            if (app_.get_option_no_throw("--" + option.name) != nullptr) {
                continue; // of another verb too
            }
            if (option.value.empty()) {
                app_.add_flag("--" + option.name);
            } else {
                app_.add_option("--" + option.name, values_[option.name])->type_name(option.value);
            }
            known_.push_back(option.name);
            if (option.value == "TEXT") {
                free_texts_.insert(option.name);
            }
        }
    }

    /// Ends the program: help is a result, and a result that could not be written is a failure
    /// (exit 1).
    [[noreturn]] static void print(const std::string& text) {
        std::cout << text << std::flush;
        std::exit(std::cout ? 0 : 1); // NOLINT(concurrency-mt-unsafe): no thread has started
    }

    [[noreturn]] void print_help(const std::vector<std::string>& words) const {
        print(help_of(spec_, words.empty() ? nullptr : &verb_named(spec_, words[0])));
    }

    /// Words that every program knows, whether it has verbs or not.
    void print_what_is_asked_for() const {
        const auto& words = arguments_.words;
        if (words.empty()) {
            return;
        }
        if (words[0] == "help") {
            print_help({words.begin() + 1, words.end()});
        }
        if (words[0] == "man") {
            print(man_page_of(spec_));
        }
        if (words[0] == "completion") {
            print(completion_of(spec_, words.size() > 1 ? words[1] : ""));
        }
    }

    /// Ends the program. Every value was checked by then, and nothing is connected to.
    [[noreturn]] void print_config() const {
        Sources sources{given_flags(), environment, file_, {}};
        for (const auto& [name, place] : arguments_.places) {
            sources.places[name] = place.at;
        }
        const auto settings = printed_settings(spec_.program, arguments_.settings, sources);
        print(app_.count("--json") > 0 ? to_json(spec_.name, settings) : to_text(settings));
    }

    /// Reads the file of --config, if any, then takes each setting from its strongest source. Where
    /// the file's value was overruled, its place in the file is forgotten, so that no refusal
    /// points at an innocent line.
    void load_settings() {
        const auto flags = given_flags();
        ConfigFile& file = file_;
        if (app_.count("--config") > 0) {
            file = read_config_file(config_);
            arguments_.places = read_config_places(config_);
            std::erase_if(arguments_.places, [&](const auto& place) {
                const char* variable = environment(place.first.c_str());
                return flags.contains(place.first) || (variable != nullptr && *variable != '\0');
            });
        }
        add_group_variables(file);
        try {
            arguments_.settings = Settings::load(spec_.program, flags, environment, file);
        } catch (const UsageError& error) {
            throw UsageError(located(error.what(), arguments_.places));
        }
    }

    /// Keeps the options that were given. "--reason=" with nothing behind it is allowed for free
    /// texts alone: elsewhere an empty value is a variable of a script that was not set.
    void keep_options() {
        for (const std::string& name : known_) {
            if (app_.count("--" + name) > 0) {
                const auto value = values_.find(name);
                arguments_.options[name] = value == values_.end() ? "" : value->second;
                if (value != values_.end() && value->second.empty() && !free_texts_.contains(name)) {
                    throw UsageError(fmt::format("--{}= is not allowed: it must not be empty", name));
                }
            }
        }
    }

    /// What CLI11 could not place, which begins with a dash. First of all, for the value of a misspelt option
    /// looks like a word.
    void refuse_unknown() const {
        const auto unknown = app_.remaining();
        if (unknown.empty()) {
            const bool of_no_verb = std::ranges::find(known_, "json") == known_.end();
            if (of_no_verb && app_.count("--json") > 0 && app_.count("--print-config") == 0) {
                throw UsageError(
                    fmt::format("--json goes with --print-config here; see {} --help", spec_.name));
            }
            return;
        }
        const auto found = std::ranges::find_if(spec_.verbs, [&](const Verb& verb) {
            return !arguments_.words.empty() && verb.name == arguments_.words[0];
        });
        const Verb* const verb = found == spec_.verbs.end() ? nullptr : &*found;
        std::string name = unknown[0].substr(0, unknown[0].find('='));
        name.erase(0, std::min(name.find_first_not_of('-'), name.size()));
        throw UsageError(fmt::format("{} is not an option{}; see {}{} --help", unknown[0], like(name, verb),
                                     spec_.name, verb == nullptr ? "" : " " + verb->name));
    }

    /// The option or flag that was most likely meant, as "; did you mean --X?"; empty when nothing
    /// is like it.
    [[nodiscard]] std::string like(const std::string& name, const Verb* verb) const {
        std::vector<std::string> flags{"config", "help", "version", "print-config"};
        if (verb == nullptr) {
            flags.insert(flags.end(), known_.begin(), known_.end());
        } else {
            std::ranges::transform(verb->options, std::back_inserter(flags), &Option::name);
        }
        for (const Setting& setting : all_settings()) {
            if (setting.belongs_to(spec_.program)) {
                flags.push_back(setting.flag().substr(2));
            }
        }
        const std::vector<std::string_view> candidates(flags.begin(), flags.end());
        return did_you_mean(name, candidates, "--");
    }

    /// The settings that stand on the command line, by their names ("DB_HOST").
    [[nodiscard]] std::map<std::string, std::string> given_flags() const {
        std::map<std::string, std::string> given;
        for (const auto& [name, value] : flags_) {
            const auto setting = std::ranges::find(all_settings(), name, &Setting::name);
            if (app_.count(setting->flag()) > 0) {
                given[name] = value;
            }
        }
        return given;
    }

    const CommandLineSpec& spec_;
    CLI::App app_;
    std::string config_;
    ConfigFile file_;                           ///< of --config, with the groups' variables
    std::map<std::string, std::string> flags_;  ///< by setting name
    std::map<std::string, std::string> values_; ///< of the options that have one
    std::vector<std::string> known_;            ///< options beyond the settings
    std::set<std::string> free_texts_;          ///< those of them that may be empty
    Arguments arguments_;
};

} // namespace

Arguments parse_command_line(const CommandLineSpec& spec, int argc, const char* const* argv) {
    return Parser(spec).parse(argc, argv);
}

/// Null for a program that is run without a verb. Words and options are checked against it here.
const Verb* verb_of(const CommandLineSpec& spec, const Arguments& arguments) {
    const auto& words = arguments.words;
    if (words.empty() && spec.needs_verb) {
        throw UsageError(fmt::format("a verb is missing: {}; see {} --help", list_of(spec.verbs), spec.name));
    }
    const Verb* const verb = words.empty() ? nullptr : &verb_named(spec, words[0]);
    if (verb != nullptr && words.size() > 1 + most_words(*verb)) {
        const std::size_t last = most_words(*verb);
        throw UsageError(fmt::format("{} is one word too many after {}", words[last + 1], words[last]));
    }
    for (const auto& [name, value] : arguments.options) {
        if (!has_option(verb == nullptr ? spec.options : verb->options, name)) {
            throw UsageError(place_of(spec, name, verb));
        }
    }
    return verb;
}

void print_warnings(const CommandLineSpec& spec, const Arguments& arguments) {
    for (const std::string& warning : arguments.warnings) {
        std::cerr << spec.name << ": warning: " << one_line(warning) << '\n';
    }
}

/// What every main does: parse, run, and turn what is thrown into one line and an exit code, 2 for bad
/// usage.
int run_program(const CommandLineSpec& spec, int argc, const char* const* argv,
                const std::function<int(const Arguments&)>& body) {
    // Outside of the try: a refusal that comes later (a setting that `body` checks) still finds its
    // line in the file.
    Arguments arguments;
    try {
        arguments = parse_command_line(spec, argc, argv);
        return body(arguments);
    } catch (const UsageError& error) {
        std::cerr << spec.name << ": " << one_line(located(error.what(), arguments.places)) << '\n';
        return 2;
    } catch (const std::exception& error) {
        std::cerr << spec.name << ": " << one_line(error.what()) << '\n';
        return 1;
    }
}

} // namespace outbox
