// Reads the TOML file of --config into the same names and texts that variables have, so that one set of
// checks serves all sources. Two tables are special: [partition_strategies], whose keys are event
// types, and [table], the mapping of a user's own table. Where each value stands is remembered, because
// a refusal that says "outbox.toml:12:7: relay.batch_size" spares a search.

#include "outbox/core/config_places.hpp"
#include "outbox/core/error.hpp"
#include "outbox/core/nearest.hpp"
#include "outbox/core/settings.hpp"
#include "read_file.hpp"
#include "setting_names.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace outbox {
namespace {

constexpr std::string_view producer = "KAFKA_PRODUCER_";
constexpr std::string_view strategies = "PARTITION_STRATEGIES";
constexpr std::string_view mapping = "TABLE";

/// "RELAY_BATCH_SIZE" of relay.batch-size: the variable that the key would be.
std::string variable_name(std::string_view key) {
    std::string name(key);
    std::ranges::transform(name, name.begin(), [](char c) {
        return static_cast<char>(c == '-' || c == '.' ? '_' : c >= 'a' && c <= 'z' ? c - 32 : c);
    });
    return name;
}

/// The keys that [table] knows; migrate::Mapping says what each means.
constexpr auto mapping_keys = std::to_array<std::string_view>(
    {"schema", "name", "id", "aggregate_type", "aggregate_id", "event_type", "event_data", "topic",
     "topic_template", "partition_key", "headers", "created_at", "content_type"});

/// One file on its way into a ConfigFile.
class Reader {
public:
    /// @throws UsageError
    explicit Reader(const std::string& path) : path_(path) {
        for (const auto& [key, node] : parse()) {
            const std::string name = variable_name(key.str());
            if (name == strategies && node.is_table()) {
                take_strategies({}, *node.as_table());
            } else if (name == mapping && node.is_table()) {
                take_mapping(*node.as_table());
            } else {
                take(name, std::string(key.str()), key, node);
            }
        }
    }

    ConfigFile file() && { return std::move(file_); }
    ConfigPlaces places() && { return std::move(places_); }

private:
    [[nodiscard]] toml::table parse() const {
        const auto content = read_file(path_);
        if (!content) {
            refuse({}, "it cannot be read");
        }
        try {
            return toml::parse(*content, path_);
        } catch (const toml::parse_error& error) {
            refuse(error.source().begin, error.description());
        }
    }

    /// @throws UsageError with the place in the file in front
    [[noreturn]] void refuse(const toml::source_position& at, std::string_view why) const {
        throw UsageError(fmt::format("{}: {}", place(at), why));
    }

    /// "outbox.toml:12:7"; only the path where TOML knows no place.
    [[nodiscard]] std::string place(const toml::source_position& at) const {
        return at ? fmt::format("{}:{}:{}", path_, at.line, at.column) : path_;
    }

    /// @param written  the key's path as it stands there
    void take(const std::string& name, const std::string& written, const toml::key& key,
              const toml::node& node) {
        if (const auto* const table = node.as_table()) {
            for (const auto& [inner, value] : *table) {
                take(name + "_" + variable_name(inner.str()), written + "." + std::string(inner.str()), inner,
                     value);
            }
        } else if (name.starts_with(producer)) {
            file_.groups["KAFKA_PRODUCER"][name.substr(producer.size())] =
                text_of(name, node, "true", "false");
            remember(name, written, node);
        } else if (is_setting(name)) {
            file_.settings[name] = text_of(name, node, "on", "off");
            remember(name, written, node);
        } else {
            refuse(key.source().begin, fmt::format("{} is not a setting{}", name, like(name)));
        }
    }

    /// Notes where a value stands, under the name that a refusal of it begins with.
    void remember(const std::string& subject, const std::string& written, const toml::node& node) {
        places_[subject] = {place(node.source().begin), written};
    }

    /// The setting that was most likely meant, as "; did you mean X?".
    [[nodiscard]] static std::string like(const std::string& name) {
        std::vector<std::string_view> names;
        std::ranges::transform(all_settings(), std::back_inserter(names), &Setting::name);
        return did_you_mean(name, names);
    }

    /// An event type is a key in quotes, or without: then TOML takes its dots for tables.
    void take_strategies(const std::string& before, const toml::table& table) {
        for (const auto& [key, node] : table) {
            const std::string event_type = before + std::string(key.str());
            if (const auto* const inner = node.as_table()) {
                take_strategies(event_type + ".", *inner);
            } else {
                file_.groups[std::string(strategies)][event_type] = text_of(event_type, node, "on", "off");
                const std::string subject = "partition_strategies." + event_type;
                remember(subject, subject, node);
            }
        }
    }

    /// Names of a table's parts: they have no variable, lest one of another program's be taken for them.
    void take_mapping(const toml::table& table) {
        for (const auto& [key, node] : table) {
            const std::string name(key.str());
            if (std::ranges::find(mapping_keys, name) == mapping_keys.end()) {
                refuse(key.source().begin,
                       fmt::format("{} does not belong to [table], which knows {}{}", name,
                                   fmt::join(mapping_keys, ", "), did_you_mean(name, mapping_keys)));
            }
            if (!node.is_string()) {
                refuse(node.source().begin, name + " must be a text");
            }
            file_.groups[std::string(mapping)][name] = node.as_string()->get();
            remember("[table] " + name, "[table] " + name, node);
        }
    }

    /// A value as its variable would hold it: true and false become what the setting calls them.
    [[nodiscard]] std::string text_of(const std::string& name, const toml::node& node, const char* on,
                                      const char* off) const {
        if (const auto* const text = node.as_string()) {
            return text->get();
        }
        if (const auto* const number = node.as_integer()) {
            return std::to_string(number->get());
        }
        if (const auto* const number = node.as_floating_point()) {
            return fmt::format("{}", number->get());
        }
        if (const auto* const flag = node.as_boolean()) {
            return flag->get() ? on : off;
        }
        refuse(node.source().begin, name + " must be a text, a number, true or false");
    }

    const std::string& path_;
    ConfigFile file_;
    ConfigPlaces places_;
};

} // namespace

ConfigFile read_config_file(const std::string& path) {
    return Reader(path).file();
}

ConfigPlaces read_config_places(const std::string& path) {
    return Reader(path).places();
}

std::string located(std::string_view refusal, const ConfigPlaces& places) {
    // A refusal is about a name when it begins with it and the name ends there: DB_HOST is not
    // DB_HOST_NAME.
    const auto is_about = [&](std::string_view name) {
        constexpr std::string_view ends = "= :";
        return refusal.starts_with(name) &&
               (refusal.size() == name.size() || ends.find(refusal[name.size()]) != std::string_view::npos);
    };
    for (const auto& [name, place] : places) {
        if (is_about(name)) {
            return fmt::format("{}: {}{}", place.at, place.key, refusal.substr(name.size()));
        }
    }
    return std::string(refusal);
}

void add_group_variables(ConfigFile& file) {
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view variable = *entry;
        const auto equals = variable.find('=');
        if (variable.starts_with(producer) && equals != std::string_view::npos &&
            equals + 1 < variable.size()) {
            const auto value = variable.substr(equals + 1);
            const std::string name(variable.substr(producer.size(), equals - producer.size()));
            // What files and Kubernetes' secrets leave behind a value does not count, but in a password.
            file.groups["KAFKA_PRODUCER"][name] =
                name.ends_with("PASSWORD") ? value : value.substr(0, value.find_last_not_of("\r\n") + 1);
        }
    }
}

} // namespace outbox
