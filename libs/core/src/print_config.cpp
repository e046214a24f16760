// Says what a program would work with, for whoever wonders why it does not do as told. Settings::load() has
// decided already; here only the source is found again, by the same order: flag, variable, file, default.

#include "print_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace outbox {
namespace {

constexpr auto hidden = "***";

/// A variable of blanks alone counts as unset, like an empty one.
bool is_set(const char* variable) {
    return variable != nullptr &&
           std::string_view(variable).find_first_not_of(" \t\r\n") != std::string_view::npos;
}

/// Names of properties that hold secrets; settings have a kind of their own for them.
bool names_secret(std::string_view name) {
    constexpr std::array words{"PASSWORD",           "SECRET",    "TOKEN", "JAAS", "KEY_PEM",
                               "OAUTHBEARER_CONFIG", "CREDENTIAL"};
    return std::ranges::any_of(
        words, [&](std::string_view word) { return name.find(word) != std::string_view::npos; });
}

/// "scheme://user:password@host" without the password.
std::string without_url_secrets(std::string text) {
    std::size_t from = 0;
    for (auto at = text.find("://"); at != std::string::npos; at = text.find("://", from)) {
        const auto begin = at + 3;
        const auto end = std::min(text.find_first_of("/?#, \t", begin), text.size());
        const auto sign = text.rfind('@', end);
        const auto colon = text.find(':', begin);
        from = begin;
        if (sign != std::string::npos && sign >= begin && sign < end && colon < sign) {
            text.replace(colon + 1, sign - colon - 1, hidden);
            from = colon;
        }
    }
    return text;
}

std::string shown(const Setting& setting, const std::string& value) {
    if (setting.kind == Setting::Kind::secret) {
        return value.empty() ? "" : hidden;
    }
    return without_url_secrets(value);
}

PrintedSetting printed(const Setting& setting, const Settings& settings, const Sources& sources) {
    const std::string name(setting.name);
    PrintedSetting line{name, shown(setting, settings.text(name)), "default", ""};
    if (const std::string path = settings.secret_file(name); !path.empty()) {
        line.source = "file";
        line.place = fmt::format("{}, by {}_FILE", path, name);
    } else if (sources.flags.contains(name)) {
        line.source = "flag";
        line.place = setting.flag();
    } else if (is_set(sources.environment(name.c_str()))) {
        line.source = "variable";
        line.place = name;
    } else if (sources.file.settings.contains(name)) {
        const auto place = sources.places.find(name);
        line.source = "file";
        line.place = place == sources.places.end() ? "--config" : place->second;
    }
    return line;
}

/// Properties of the producer may be variables too.
void add_groups(const Settings& settings, const Sources& sources, std::vector<PrintedSetting>& lines) {
    for (const auto* group : {"KAFKA_PRODUCER", "PARTITION_STRATEGIES", "TABLE"}) {
        for (const auto& [key, value] : settings.group(group)) {
            const std::string name =
                fmt::format("{}{}{}", group, group == std::string_view("KAFKA_PRODUCER") ? "_" : ".", key);
            const bool variable = is_set(sources.environment(name.c_str()));
            const auto place = sources.places.find(name);
            lines.push_back({name, names_secret(name) ? hidden : without_url_secrets(value),
                             variable ? "variable" : "file",
                             variable                        ? name
                             : place == sources.places.end() ? "--config"
                                                             : place->second});
        }
    }
}

/// As a JSON string.
std::string quoted(std::string_view text) {
    std::string json = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            json += std::string("\\") + c;
        } else if (byte < 0x20) {
            json += fmt::format("\\u{:04x}", byte);
        } else {
            json += c;
        }
    }
    return json + "\"";
}

} // namespace

std::vector<PrintedSetting> printed_settings(Program program, const Settings& settings,
                                             const Sources& sources) {
    std::vector<PrintedSetting> lines;
    for (const Setting& setting : all_settings()) {
        if (setting.belongs_to(program)) {
            lines.push_back(printed(setting, settings, sources));
        }
    }
    add_groups(settings, sources, lines);
    return lines;
}

std::string to_text(const std::vector<PrintedSetting>& settings) {
    std::string text;
    for (const PrintedSetting& line : settings) {
        text += fmt::format("{}={}  # {}{}{}\n", line.name, line.value, line.source,
                            line.place.empty() ? "" : ": ", line.place);
    }
    return text;
}

std::string to_json(std::string_view program, const std::vector<PrintedSetting>& settings) {
    std::string text = fmt::format("{{\n  \"program\": {},\n  \"settings\": [", quoted(program));
    for (std::size_t i = 0; i < settings.size(); ++i) {
        const PrintedSetting& line = settings[i];
        text += fmt::format("{}\n    {{\"name\": {}, \"value\": {}, \"source\": {}, \"place\": {}}}",
                            i == 0 ? "" : ",", quoted(line.name), quoted(line.value), quoted(line.source),
                            line.place.empty() ? "null" : quoted(line.place));
    }
    return text + "\n  ]\n}\n";
}

} // namespace outbox
