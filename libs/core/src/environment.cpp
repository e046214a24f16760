// Warns of environment variables that look like settings and are none. A misspelt variable is otherwise
// silent: the program runs with the default, and somebody looks for the fault elsewhere. Each variable
// whose name begins like one of ours is compared with the table of settings; what is like a setting
// gets a line with the right name, the rest share one line. Values never appear, for a misspelt name
// may hold a password.

#include "outbox/core/environment.hpp"

#include "outbox/core/nearest.hpp"
#include "outbox/core/settings.hpp"
#include "setting_names.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

namespace outbox {
namespace {

/// Names that begin so are taken for settings of this product; others are nobody's business here.
constexpr std::array<std::string_view, 5> prefixes{"RELAY_", "OUTBOX_", "DB_", "KAFKA_", "SERVER_"};

/// Names that no setting has, and are known all the same: properties of the producer, and what this project's
/// own tests give to the programs that they start.
constexpr std::array<std::string_view, 3> families{"KAFKA_PRODUCER_", "OUTBOX_TEST_", "OUTBOX_FAULT"};

/// What other software calls our settings.
constexpr auto synonyms = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"DB_DATABASE", "DB_NAME"},
    {"DB_PASS", "DB_PASSWORD"},
    {"DB_USERNAME", "DB_USER"},
    {"KAFKA_BOOTSTRAP_SERVER", "KAFKA_BROKERS"},
    {"KAFKA_BOOTSTRAP_SERVERS", "KAFKA_BROKERS"},
    {"KAFKA_PASSWORD", "KAFKA_SASL_PASSWORD"},
    {"KAFKA_USERNAME", "KAFKA_SASL_USERNAME"},
    {"SERVER_HOST", "SERVER_BIND"},
    {"SERVER_PORT", "PORT"},
});

bool begins_with_one_of(std::string_view name, std::span<const std::string_view> beginnings) {
    return std::ranges::any_of(beginnings, [&](std::string_view each) { return name.starts_with(each); });
}

bool is_secret(std::string_view name) {
    return std::ranges::any_of(all_settings(), [&](const Setting& setting) {
        return setting.name == name && setting.kind == Setting::Kind::secret;
    });
}

/// "BATCH_SIZE" of RELAY_BATCH_SIZE; empty when the name is of neither family, for a port or a name is
/// everybody's.
std::string_view without_prefix(std::string_view name) {
    constexpr std::string_view relay = "RELAY_";
    constexpr std::string_view outbox = "OUTBOX_";
    return name.starts_with(relay)    ? name.substr(relay.size())
           : name.starts_with(outbox) ? name.substr(outbox.size())
                                      : std::string_view{};
}

/// The setting that is most likely meant; empty when none is like it.
std::string_view meant_by(std::string_view name) {
    if (const auto* const found =
            std::ranges::find(synonyms, name, [](const auto& pair) { return pair.first; });
        found != synonyms.end()) {
        return found->second;
    }
    std::vector<std::string_view> names;
    for (const Setting& setting : all_settings()) {
        if (const auto tail = without_prefix(name); !tail.empty() && tail == without_prefix(setting.name)) {
            return setting.name; // OUTBOX_BATCH_SIZE for RELAY_BATCH_SIZE
        }
        names.push_back(setting.name);
    }
    return nearest(name, names);
}

/// True for decimal digits alone, as a port's number is written.
bool is_number(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// "80_TCP", "80_TCP_ADDR": what follows the Service's name and "_PORT_".
bool is_link_to_port(std::string_view rest) {
    const auto underscore = std::min(rest.find('_'), rest.size());
    const auto number = rest.substr(0, underscore);
    rest.remove_prefix(underscore);
    return is_number(number) &&
           (rest.starts_with("_TCP") || rest.starts_with("_UDP") || rest.starts_with("_SCTP"));
}

/// One line for all variables that are like nothing we know; it names ten of them at most.
std::string others(const std::vector<std::string_view>& names) {
    constexpr std::size_t most = 10;
    const std::size_t shown = std::min(most, names.size());
    return fmt::format("no program knows the variable{} {}{}", names.size() == 1 ? "" : "s",
                       fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "),
                       names.size() > most ? fmt::format(" and {} more", names.size() - most) : "");
}

} // namespace

bool is_link_address(std::string_view value) {
    return value.starts_with("tcp://") || value.starts_with("udp://") || value.starts_with("sctp://");
}

bool is_service_link(std::string_view name, std::string_view value) {
    for (auto port = name.find("_PORT_"); port != std::string_view::npos;
         port = name.find("_PORT_", port + 1)) {
        if (is_link_to_port(name.substr(port + 6))) {
            return true;
        }
    }
    return name.ends_with("_SERVICE_HOST") || name.ends_with("_SERVICE_PORT") ||
           name.find("_SERVICE_PORT_") != std::string_view::npos ||
           (name.ends_with("_PORT") && is_link_address(value));
}

std::vector<std::string> environment_warnings(std::span<const std::string_view> entries) {
    std::vector<std::string> warnings;
    std::vector<std::string_view> rest;
    for (const std::string_view entry : entries) {
        const auto equals = std::min(entry.find('='), entry.size());
        const auto name = entry.substr(0, equals);
        const auto value = entry.substr(std::min(equals + 1, entry.size()));
        // `echo secret | base64` puts a line's end into a Kubernetes secret, and the server
        // then refuses the password without a word about the reason.
        if (is_secret(name) && (value.ends_with('\n') || value.ends_with('\r'))) {
            warnings.push_back(fmt::format("{0} ends in a line's end, which counts as a part of it; without: "
                                           "mend the value, or have {0}_FILE name a file with it",
                                           name));
        }
        if (value.empty() || !begins_with_one_of(name, prefixes) || begins_with_one_of(name, families) ||
            is_setting(name) || is_service_link(name, value)) {
            continue;
        }
        // A name that is like a setting is a mistake of its own and gets its own line.
        if (const auto meant = meant_by(name); meant.empty()) {
            rest.push_back(name);
        } else {
            warnings.push_back(
                fmt::format("no program knows the variable {}; did you mean {}?", name, meant));
        }
    }
    std::ranges::sort(warnings);
    if (!rest.empty()) {
        std::ranges::sort(rest);
        warnings.push_back(others(rest));
    }
    return warnings;
}

std::vector<std::string> environment_warnings() {
    std::vector<std::string_view> entries;
    for (char** entry = environ; *entry != nullptr; ++entry) {
        entries.emplace_back(*entry);
    }
    return environment_warnings(entries);
}

} // namespace outbox
