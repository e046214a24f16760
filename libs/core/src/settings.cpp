#include "outbox/core/settings.hpp"

#include "outbox/core/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>

namespace outbox {
namespace {

constexpr bool is_one_of(std::string_view value, std::string_view choices) {
    while (!choices.empty()) {
        const auto bar = std::min(choices.find('|'), choices.size());
        if (choices.substr(0, bar) == value) {
            return true;
        }
        choices.remove_prefix(std::min(bar + 1, choices.size()));
    }
    return false;
}

template <class Number>
bool is_number(std::string_view value, double min, double max) {
    Number number{};
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || end != value.data() + value.size()) {
        return false;
    }
    const auto wide = static_cast<double>(number);
    return std::isfinite(wide) && wide >= min && wide <= max;
}

bool is_allowed(const Setting& setting, std::string_view value) {
    switch (setting.kind) {
    case Setting::Kind::text:
    case Setting::Kind::secret:
        return true;
    case Setting::Kind::integer:
        return is_number<std::int64_t>(value, setting.min, setting.max);
    case Setting::Kind::seconds:
        return is_number<double>(value, setting.min, setting.max);
    case Setting::Kind::choice:
        return is_one_of(value, setting.choices);
    }
    return false;
}

std::string checked(const Setting& setting, std::string value) {
    if (!is_allowed(setting, value)) {
        throw UsageError(
            fmt::format("{}={} is not allowed: it must be {}", setting.name, value, setting.allowed()));
    }
    return value;
}

} // namespace

std::string Setting::flag() const {
    std::string flag = "--";
    for (const char c : name) {
        flag += c == '_' ? '-' : static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    return flag;
}

std::string Setting::allowed() const {
    switch (kind) {
    case Kind::integer:
        return fmt::format("a whole number from {:.0f} to {:.0f}", min, max);
    case Kind::seconds:
        return fmt::format("seconds from {} to {}, fractions allowed", min, max);
    case Kind::choice: {
        std::string list{choices};
        for (std::size_t at = 0; (at = list.find('|', at)) != std::string::npos; at += 4) {
            list.replace(at, 1, " or ");
        }
        return list;
    }
    case Kind::text:
    case Kind::secret:
        break;
    }
    return "text";
}

Settings Settings::load(Program program, const std::map<std::string, std::string>& flags,
                        const char* (*environment)(const char*)) {
    Settings settings;
    for (const Setting& setting : all_settings()) {
        if (!setting.belongs_to(program)) {
            continue;
        }
        const std::string name{setting.name};
        const char* variable = environment(name.c_str());
        if (const auto flag = flags.find(name); flag != flags.end()) {
            settings.values_[name] = checked(setting, flag->second);
        } else if (variable != nullptr && *variable != '\0') {
            settings.values_[name] = checked(setting, variable);
        } else {
            settings.values_[name] = std::string(setting.fallback);
        }
    }
    return settings;
}

const std::string& Settings::text(std::string_view name) const {
    const auto found = values_.find(name);
    if (found == values_.end()) {
        throw std::logic_error(fmt::format("{} is not a setting of this program", name));
    }
    return found->second;
}

std::int64_t Settings::integer(std::string_view name) const {
    return std::stoll(text(name));
}

std::chrono::milliseconds Settings::seconds(std::string_view name) const {
    return std::chrono::milliseconds(std::llround(std::stod(text(name)) * 1000));
}

} // namespace outbox
