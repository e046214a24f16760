#include "outbox/core/error.hpp"
#include "outbox/core/settings.hpp"
#include "read_file.hpp"

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

std::string variable_name(std::string_view key) {
    std::string name(key);
    std::ranges::transform(name, name.begin(), [](char c) {
        return static_cast<char>(c == '-' || c == '.' ? '_' : c >= 'a' && c <= 'z' ? c - 32 : c);
    });
    return name;
}

bool is_setting(std::string_view name) {
    return std::ranges::any_of(all_settings(), [&](const Setting& setting) { return setting.name == name; });
}

constexpr auto mapping_keys = std::to_array<std::string_view>(
    {"schema", "name", "id", "aggregate_type", "aggregate_id", "event_type", "event_data", "topic",
     "topic_template", "partition_key", "headers", "created_at"});

/// One file on its way into a ConfigFile.
class Reader {
public:
    explicit Reader(const std::string& path) : path_(path) {}

    ConfigFile read() {
        for (const auto& [key, node] : parse()) {
            const std::string name = variable_name(key.str());
            if (name == strategies && node.is_table()) {
                take_strategies({}, *node.as_table());
            } else if (name == mapping && node.is_table()) {
                take_mapping(*node.as_table());
            } else {
                take(name, node);
            }
        }
        return std::move(file_);
    }

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

    [[noreturn]] void refuse(const toml::source_position& at, std::string_view why) const {
        throw UsageError(at ? fmt::format("{}:{}: {}", path_, at.line, why)
                            : fmt::format("{}: {}", path_, why));
    }

    void take(const std::string& name, const toml::node& node) {
        if (const auto* const table = node.as_table()) {
            for (const auto& [key, inner] : *table) {
                take(name + "_" + variable_name(key.str()), inner);
            }
        } else if (name.starts_with(producer)) {
            file_.groups["KAFKA_PRODUCER"][name.substr(producer.size())] =
                text_of(name, node, "true", "false");
        } else if (is_setting(name)) {
            file_.settings[name] = text_of(name, node, "on", "off");
        } else {
            refuse(node.source().begin, name + " is not a setting");
        }
    }

    /// An event type is a key in quotes, or without: then TOML takes its dots for tables.
    void take_strategies(const std::string& before, const toml::table& table) {
        for (const auto& [key, node] : table) {
            const std::string event_type = before + std::string(key.str());
            if (const auto* const inner = node.as_table()) {
                take_strategies(event_type + ".", *inner);
            } else {
                file_.groups[std::string(strategies)][event_type] = text_of(event_type, node, "on", "off");
            }
        }
    }

    /// Names of a table's parts: they have no variable, lest one of another program's be taken for them.
    void take_mapping(const toml::table& table) {
        for (const auto& [key, node] : table) {
            const std::string name(key.str());
            if (std::ranges::find(mapping_keys, name) == mapping_keys.end()) {
                refuse(node.source().begin, fmt::format("{} does not belong to [table], which knows {}", name,
                                                        fmt::join(mapping_keys, ", ")));
            }
            if (!node.is_string()) {
                refuse(node.source().begin, name + " must be a text");
            }
            file_.groups[std::string(mapping)][name] = node.as_string()->get();
        }
    }

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
};

} // namespace

ConfigFile read_config_file(const std::string& path) {
    return Reader(path).read();
}

void add_group_variables(ConfigFile& file) {
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view variable = *entry;
        const auto equals = variable.find('=');
        if (variable.starts_with(producer) && equals != std::string_view::npos &&
            equals + 1 < variable.size()) {
            file.groups["KAFKA_PRODUCER"]
                       [std::string(variable.substr(producer.size(), equals - producer.size()))] =
                variable.substr(equals + 1);
        }
    }
}

} // namespace outbox
