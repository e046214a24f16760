// What --print-config prints: each setting of a program, its value, and where that came from.
#pragma once

#include "outbox/core/settings.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace outbox {

/// One value as it is in force.
struct PrintedSetting {
    std::string name;
    std::string value;  ///< a secret is "***"
    std::string source; ///< "flag", "variable", "file" or "default"
    std::string place;  ///< the flag, variable or line of a file; empty for a default

    bool operator==(const PrintedSetting&) const = default;
};

/// What each source says, by setting name.
struct Sources {
    std::map<std::string, std::string> flags;
    const char* (*environment)(const char*) = nullptr;
    ConfigFile file;
    std::map<std::string, std::string> places; ///< of the file's values: "outbox.toml:12:7"
};

/// All settings of the program and what it was given in groups; secrets are hidden, also inside URLs.
std::vector<PrintedSetting> printed_settings(Program program, const Settings& settings,
                                             const Sources& sources);

/// A line each, "NAME=value  # where from", or one JSON document.
std::string to_text(const std::vector<PrintedSetting>& settings);
std::string to_json(std::string_view program, const std::vector<PrintedSetting>& settings);

} // namespace outbox
