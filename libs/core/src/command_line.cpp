#include "outbox/core/command_line.hpp"

#include "outbox/core/error.hpp"
#include "outbox/core/one_line.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdlib>
#include <iostream>

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

std::string help_of(const Setting& setting) {
    const bool shown = !setting.fallback.empty() && setting.kind != Setting::Kind::secret;
    return fmt::format("{} [${}{}{}]", setting.meaning, setting.name, shown ? ", default " : "",
                       shown ? setting.fallback : "");
}

const char* environment(const char* name) {
    return std::getenv(name); // NOLINT(concurrency-mt-unsafe): read before any thread starts
}

} // namespace

Arguments parse_command_line(const CommandLineSpec& spec, int argc, const char* const* argv) {
    CLI::App app{spec.description, spec.name};
    app.set_version_flag("--version", spec.name + " " + OUTBOX_VERSION);

    std::map<std::string, std::string> given;
    for (const Setting& setting : all_settings()) {
        if (setting.belongs_to(spec.program)) {
            app.add_option(setting.flag(), given[std::string(setting.name)], help_of(setting))
                ->type_name(setting.type_name())
                ->group("Settings");
        }
    }
    std::string config;
    app.add_option("--config", config, "TOML file with settings; variables and flags win over it")
        ->type_name("FILE");
    Arguments arguments;
    std::map<std::string, std::string> extra;
    for (const auto& [name, help] : spec.options) {
        app.add_option("--" + name, extra[name], help);
    }
    std::map<std::string, bool> switches;
    for (const auto& [name, help] : spec.switches) {
        app.add_flag("--" + name, switches[name], help);
    }
    if (!spec.words_help.empty()) {
        app.add_option("command", arguments.words, spec.words_help);
    }
    try {
        app.parse(words_of(app, argc, argv));
    } catch (const CLI::Success& success) {
        std::exit(app.exit(success)); // NOLINT(concurrency-mt-unsafe): no thread has started
    } catch (const CLI::ParseError& error) {
        throw UsageError(fmt::format("{}; see {} --help", error.what(), spec.name));
    }
    std::map<std::string, std::string> flags;
    for (const Setting& setting : all_settings()) {
        if (setting.belongs_to(spec.program) && app.count(setting.flag()) > 0) {
            flags[std::string(setting.name)] = given[std::string(setting.name)];
        }
    }
    for (const auto& [name, value] : extra) {
        if (app.count("--" + name) > 0) {
            arguments.options[name] = value;
        }
    }
    for (const auto& [name, on] : switches) {
        if (on) {
            arguments.options[name] = "";
        }
    }
    ConfigFile file = app.count("--config") > 0 ? read_config_file(config) : ConfigFile{};
    add_group_variables(file);
    arguments.settings = Settings::load(spec.program, flags, environment, file);
    return arguments;
}

int run_program(const CommandLineSpec& spec, int argc, const char* const* argv,
                const std::function<int(const Arguments&)>& body) {
    try {
        return body(parse_command_line(spec, argc, argv));
    } catch (const UsageError& error) {
        std::cerr << spec.name << ": " << one_line(error.what()) << '\n';
        return 2;
    } catch (const std::exception& error) {
        std::cerr << spec.name << ": " << one_line(error.what()) << '\n';
        return 1;
    }
}

} // namespace outbox
