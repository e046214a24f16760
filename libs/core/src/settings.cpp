// From text to checked values. For each setting the strongest source is found (flag, environment, file,
// default), tidied of what files and YAML leave around a value, and checked by its kind. Everything is
// checked at the start: a relay that finds out at night that a number was no number helps nobody.

#include "outbox/core/settings.hpp"

#include "outbox/core/environment.hpp"
#include "outbox/core/error.hpp"
#include "read_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <stdexcept>

namespace outbox {
namespace {

/// @param choices  separated by bars, "on|off"
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

/// True for a number of this type that fills the whole text and lies between the bounds, which belong
/// to it.
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

/// True when it has only characters that RFC 3986 allows.
bool is_uri_reference(std::string_view text) {
    constexpr std::string_view never = "\"<>\\^`{|}";
    return std::ranges::all_of(
        text, [&](char c) { return c > 0x20 && c < 0x7F && never.find(c) == std::string_view::npos; });
}

/// Compares as ASCII; settings hold no other letters where case does not count.
bool equal_ignoring_case(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); };
    return std::ranges::equal(a, b, [&](char x, char y) { return lower(x) == lower(y); });
}

/// The names that may stand before "://" in a broker's address, as librdkafka takes them.
bool is_security_protocol(std::string_view text) {
    constexpr std::array names{"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"};
    return std::ranges::any_of(names, [&](std::string_view name) { return equal_ignoring_case(text, name); });
}

/// "host", "host:9092", "[::1]:9092" or one of them behind "protocol://".
bool is_broker(std::string_view text) {
    if (const auto scheme = text.find("://"); scheme != std::string_view::npos) {
        if (!is_security_protocol(text.substr(0, scheme))) {
            return false;
        }
        text.remove_prefix(scheme + 3);
    }
    if (text.find_first_of("/@?#\\\"'") != std::string_view::npos) {
        return false;
    }
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos || text.ends_with(']')) {
        return !text.empty() && text.find_first_of(" \t") == std::string_view::npos;
    }
    const auto host = text.substr(0, colon);
    const bool bare = host.find(':') == std::string_view::npos;
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    return !host.empty() && (bare || bracketed) && host.find_first_of(" \t") == std::string_view::npos &&
           is_number<std::int64_t>(text.substr(colon + 1), 1, 65535);
}

/// True when each of the parts between commas is a broker.
bool is_broker_list(std::string_view list) {
    while (true) {
        const auto comma = std::min(list.find(','), list.size());
        if (!is_broker(list.substr(0, comma))) {
            return false;
        }
        if (comma == list.size()) {
            return true;
        }
        list.remove_prefix(comma + 1);
    }
}

/// The one place that says which text a kind of setting may hold. An empty text is allowed where
/// nothing is the default (it means "not set") and for a secret, which may be empty.
bool is_allowed(const Setting& setting, std::string_view value) {
    if (value.empty()) {
        return setting.kind == Setting::Kind::secret || setting.fallback.empty();
    }
    switch (setting.kind) {
    case Setting::Kind::text:
    case Setting::Kind::secret:
        return true;
    case Setting::Kind::uri:
        return is_uri_reference(value);
    case Setting::Kind::brokers:
        return is_broker_list(value);
    case Setting::Kind::hosts:
        return !value.starts_with(',') && !value.ends_with(',') && value.find(",,") == std::string_view::npos;
    case Setting::Kind::integer:
        return is_number<std::int64_t>(value, setting.min, setting.max);
    case Setting::Kind::seconds:
        return is_number<double>(value, setting.min, setting.max);
    case Setting::Kind::choice:
        return is_one_of(value, setting.choices);
    }
    return false;
}

/// As it stands in the list of choices, which differ by more than case.
std::string canonical(const Setting& setting, std::string value) {
    for (auto rest = setting.choices; !rest.empty();) {
        const auto bar = std::min(rest.find('|'), rest.size());
        if (equal_ignoring_case(value, rest.substr(0, bar))) {
            return std::string(rest.substr(0, bar));
        }
        rest.remove_prefix(std::min(bar + 1, rest.size()));
    }
    return value;
}

/// Whose mistake it is when Kubernetes' announcement of a Service stands where a number should.
std::string link_hint(const Setting& setting, std::string_view value) {
    constexpr std::string_view ending = "_PORT";
    if (setting.kind != Setting::Kind::integer || !is_link_address(value)) {
        return "";
    }
    std::string service(
        setting.name.ends_with(ending) ? setting.name.substr(0, setting.name.size() - ending.size()) : "");
    std::ranges::transform(service, service.begin(), [](char c) {
        return static_cast<char>(c == '_' ? '-' : c >= 'A' && c <= 'Z' ? c + 32 : c);
    });
    return fmt::format(
        "; Kubernetes sets such a value for a Service{}{}: say enableServiceLinks: false in the "
        "pod's spec, or set {} there",
        service.empty() ? "" : " named ", service, setting.name);
}

constexpr std::string_view line_ends = "\r\n";
constexpr std::string_view blanks = " \t\r\n";

/// The text without characters of `what` at both ends.
std::string_view trimmed(std::string_view text, std::string_view what) {
    text.remove_prefix(std::min(text.find_first_not_of(what), text.size()));
    return text.substr(0, text.find_last_not_of(what) + 1);
}

/// A list of hosts without blanks around its commas, and without the comma that may end it.
std::string tidy_list(std::string_view list) {
    std::vector<std::string_view> parts;
    for (auto comma = list.find(','); comma != std::string_view::npos; comma = list.find(',')) {
        parts.push_back(trimmed(list.substr(0, comma), blanks));
        list.remove_prefix(comma + 1);
    }
    if (const auto last = trimmed(list, blanks); !last.empty() || parts.empty() || parts.back().empty()) {
        parts.push_back(last);
    }
    return fmt::format("{}", fmt::join(parts, ","));
}

/// Without what files, YAML and Kubernetes' secrets leave around a value. A secret stays as it is, and a name
/// may end in a blank but in no line's end.
std::string tidied(const Setting& setting, std::string_view value) {
    switch (setting.kind) {
    case Setting::Kind::secret:
        return std::string(value);
    case Setting::Kind::text:
        return std::string(value.substr(0, value.find_last_not_of(line_ends) + 1));
    case Setting::Kind::brokers:
    case Setting::Kind::hosts:
        return tidy_list(value);
    case Setting::Kind::uri:
    case Setting::Kind::integer:
    case Setting::Kind::seconds:
    case Setting::Kind::choice:
        break;
    }
    return std::string(trimmed(value, blanks));
}

/// @param value  tidied already
std::string checked(const Setting& setting, std::string value) {
    value = canonical(setting, std::move(value));
    if (!is_allowed(setting, value)) {
        throw UsageError(fmt::format("{}={} is not allowed: it must be {}{}", setting.name, value,
                                     setting.allowed(), link_hint(setting, value)));
    }
    return value;
}

/// Where a value came from, the weakest first, so that two of them can be compared.
enum class Source { fallback, file, environment, flag };

/// All of the file but the line's end that editors leave.
std::string read_secret(const std::string& name, const std::string& path) {
    auto content = read_file(path);
    if (!content) {
        throw UsageError(fmt::format("{}={} cannot be read", name, path));
    }
    while (content->ends_with('\n') || content->ends_with('\r')) {
        content->pop_back();
    }
    return *std::move(content);
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
    case Kind::uri:
        return "a URI reference, such as /outbox/orders";
    case Kind::brokers:
        return "host:port, or several with commas between";
    case Kind::hosts:
        return "a host or a socket's folder, or several with commas between";
    case Kind::text:
    case Kind::secret:
        break;
    }
    return "text, not empty";
}

std::string Setting::type_name() const {
    switch (kind) {
    case Kind::integer:
        return "NUMBER";
    case Kind::seconds:
        return "SECONDS";
    case Kind::choice:
        return std::string(choices);
    case Kind::uri:
        return "URI";
    case Kind::brokers:
        return "HOST:PORT,...";
    case Kind::hosts:
        return "HOST,...";
    case Kind::text:
    case Kind::secret:
        break;
    }
    return "TEXT";
}

Settings Settings::load(Program program, const std::map<std::string, std::string>& flags,
                        const char* (*environment)(const char*), const ConfigFile& file) {
    Settings settings;
    settings.groups_ = file.groups;
    std::map<std::string, Source> sources;
    for (const Setting& setting : all_settings()) {
        if (!setting.belongs_to(program)) {
            continue;
        }
        // An empty variable counts as unset: shells and compose files cannot leave one out
        // conditionally.
        const std::string name{setting.name};
        const char* given = environment(name.c_str());
        const std::string variable = given != nullptr ? tidied(setting, given) : "";
        std::string& value = settings.values_[name];
        Source& source = sources[name];
        if (const auto flag = flags.find(name); flag != flags.end()) {
            value = checked(setting, tidied(setting, flag->second));
            source = Source::flag;
        } else if (!variable.empty()) {
            value = checked(setting, variable);
            source = Source::environment;
        } else if (const auto written = file.settings.find(name); written != file.settings.end()) {
            value = checked(setting, tidied(setting, written->second));
            source = Source::file;
        } else {
            value = std::string(setting.fallback);
        }
    }
    // Second round, when all sources are known: X_FILE stands for X, unless X itself comes from a
    // stronger source. Of equal strength they contradict each other, and a guess could take the
    // wrong password.
    for (auto& [name, value] : settings.values_) {
        const std::string file_name = name + "_FILE";
        const auto path = settings.values_.find(file_name);
        if (path == settings.values_.end() || path->second.empty() || sources[file_name] < sources[name]) {
            continue;
        }
        if (sources[file_name] == sources[name]) {
            throw UsageError(fmt::format("{} and {} exclude each other", name, file_name));
        }
        value = read_secret(file_name, path->second);
        settings.secret_files_[name] = path->second;
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

std::string Settings::secret_file(std::string_view name) const {
    const auto found = secret_files_.find(name);
    return found == secret_files_.end() ? "" : found->second;
}

const ConfigFile::Group& Settings::group(std::string_view name) const {
    static const ConfigFile::Group nothing;
    const auto found = groups_.find(name);
    return found == groups_.end() ? nothing : found->second;
}

std::int64_t Settings::integer(std::string_view name) const {
    return std::stoll(text(name));
}

std::chrono::milliseconds Settings::seconds(std::string_view name) const {
    return std::chrono::milliseconds(std::llround(std::stod(text(name)) * 1000));
}

} // namespace outbox
