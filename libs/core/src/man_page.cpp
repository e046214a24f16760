#include "outbox/core/man_page.hpp"

#include <fmt/format.h>

#include <string_view>

namespace outbox {
namespace {

/// Text that roff prints as it stands: no backslash, dash or quote of it means anything, and no line of it is
/// a request.
std::string plain(std::string_view text) {
    std::string safe;
    bool line_begins = true;
    for (const char c : text) {
        if (line_begins && (c == '.' || c == '\'')) {
            safe += "\\&";
        }
        if (c == '\\') {
            safe += "\\e";
        } else if (c == '-') {
            safe += "\\-";
        } else {
            safe += c;
        }
        line_begins = c == '\n';
    }
    return safe;
}

/// Lines of commands, as they are typed.
std::string commands(const std::string& lines) {
    return lines.empty() ? "" : ".PP\n.nf\n" + plain(lines) + "\n.fi\n";
}

/// One option in bold, its value in italics, and below it what it means.
std::string tagged(const std::string& tag, const std::string& value, const std::string& meaning) {
    const std::string shown = value.empty() ? "" : fmt::format(" \\fI{}\\fR", plain(value));
    return fmt::format(".TP\n\\fB{}\\fR{}\n{}\n", plain(tag), shown, plain(meaning));
}

std::string options_of(const std::vector<Option>& options) {
    std::string text;
    for (const Option& option : options) {
        text += tagged("--" + option.name, option.value, option.meaning);
    }
    return text;
}

/// A section for each verb, from the same texts as its --help, which are therefore never out of step.
std::string verbs_of(const CommandLineSpec& spec) {
    std::string text = spec.verbs.empty() ? "" : ".SH VERBS\n";
    for (const Verb& verb : spec.verbs) {
        text += fmt::format(".SS {}\n{}.\n", plain(verb.name + (verb.words.empty() ? "" : " " + verb.words)),
                            plain(verb.summary));
        if (!verb.about.empty()) {
            text += ".PP\n" + plain(verb.about) + '\n';
        }
        text += options_of(verb.options);
        text += fmt::format(".PP\nSettings: {}. Exit status: {}.\n", plain(verb.settings),
                            plain(verb.exit_codes));
        text += commands(verb.example);
    }
    return text;
}

/// All settings of the program with their defaults. A secret's default is not shown: it teaches bad
/// habits.
std::string settings_of(const CommandLineSpec& spec) {
    std::string text =
        ".SH SETTINGS\nEach is a flag, a variable of the environment, and a key in the file of "
        "\\-\\-config; a flag wins over a variable, that over the file.\n";
    for (const Setting& setting : all_settings()) {
        if (!setting.belongs_to(spec.program)) {
            continue;
        }
        const bool shown = !setting.fallback.empty() && setting.kind != Setting::Kind::secret;
        text += tagged(
            fmt::format("{}, {}", setting.flag(), setting.name), setting.type_name(),
            fmt::format("{}{}{}", setting.meaning, shown ? "; default " : "", shown ? setting.fallback : ""));
    }
    return text;
}

std::string first_line(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

} // namespace

std::string man_page_of(const CommandLineSpec& spec) {
    const std::string words = spec.verbs.empty() ? "" : spec.needs_verb ? " VERB" : " [VERB]";
    std::string text = fmt::format(".TH {} 1 \"\" \"{} {}\" \"outbox\"\n", plain(spec.name), plain(spec.name),
                                   plain(OUTBOX_VERSION));
    text += fmt::format(".SH NAME\n{} \\- {}\n", plain(spec.name), plain(first_line(spec.description)));
    text += fmt::format(".SH SYNOPSIS\n\\fB{}\\fR{} [OPTION]...\n", plain(spec.name), plain(words));
    text += ".SH DESCRIPTION\n" + plain(spec.description) + '\n';
    text +=
        ".SH OPTIONS\n" + tagged("--help", "", "print help; with a verb, of the verb") +
        tagged("--version", "", "print the version") +
        tagged("--config", "FILE", "TOML file with settings; variables and flags win over it") +
        tagged(
            "--print-config", "",
            "print each setting, its value and where that came from, and end; with --json as one document") +
        options_of(spec.options);
    text += verbs_of(spec) + settings_of(spec);
    text += ".SH EXIT STATUS\n" + plain(spec.exit_codes) + ".\n";
    text += spec.example.empty() ? "" : ".SH EXAMPLES\n" + commands(spec.example);
    return text;
}

} // namespace outbox
