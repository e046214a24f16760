// [table] of the configuration file as a Mapping, checked. Whether the columns exist, and are of types
// that can become an event, only the database knows: capture_sql asks that.

#include <outbox/core/error.hpp>
#include <outbox/migrate/mapping.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace outbox::migrations {
namespace {

constexpr std::string_view debeziums_topic = "outbox.event.${aggregate_type}";

/// A key's value; nullopt where it is not given. @throws UsageError for an empty one
std::optional<std::string> value(const ConfigFile::Group& section, std::string_view key) {
    const auto found = section.find(key);
    if (found == section.end()) {
        return std::nullopt;
    }
    if (found->second.empty() || found->second.find('\0') != std::string::npos) {
        throw UsageError(fmt::format("[table] {} must not be empty, nor hold a zero byte", key));
    }
    return found->second;
}

/// Overwrites the default where the key is given.
void take(const ConfigFile::Group& section, std::string_view key, std::string& into) {
    if (auto given = value(section, key)) {
        into = std::move(*given);
    }
}

/// True for letters that a topic's name may have.
bool is_topic_text(std::string_view text) {
    return std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '_' || c == '-';
    });
}

/// The template as literal texts and columns.
std::vector<TopicPart> parts_of(std::string_view text, const Mapping& mapping) {
    const std::pair<std::string_view, std::string_view> variables[] = {
        {"${aggregate_type}", mapping.aggregate_type}, {"${event_type}", mapping.event_type}};
    std::vector<TopicPart> parts;
    for (auto rest = text; !rest.empty();) {
        const auto* const variable =
            std::ranges::find_if(variables, [&](const auto& each) { return rest.starts_with(each.first); });
        if (variable != std::end(variables)) {
            parts.push_back({std::string(variable->second), true});
            rest.remove_prefix(variable->first.size());
            continue;
        }
        const auto end = std::min(rest.find('$'), rest.size());
        if (end == 0 || !is_topic_text(rest.substr(0, end))) {
            throw UsageError(
                fmt::format("[table] topic_template = \"{}\" is not allowed: it must be a topic's "
                            "name (letters, digits, '.', '_' and '-') with ${{aggregate_type}} "
                            "or ${{event_type}} in it",
                            text));
        }
        parts.push_back({std::string(rest.substr(0, end)), false});
        rest.remove_prefix(end);
    }
    return parts;
}

} // namespace

std::optional<Mapping> mapping_from(const ConfigFile::Group& section) {
    if (section.empty()) {
        return std::nullopt;
    }
    Mapping mapping;
    auto name = value(section, "name");
    if (!name) {
        throw UsageError("[table] needs a name");
    }
    mapping.name = std::move(*name);
    take(section, "schema", mapping.schema);
    take(section, "id", mapping.id);
    take(section, "aggregate_type", mapping.aggregate_type);
    take(section, "aggregate_id", mapping.aggregate_id);
    take(section, "event_type", mapping.event_type);
    take(section, "event_data", mapping.event_data);
    mapping.partition_key = value(section, "partition_key");
    mapping.headers = value(section, "headers");
    mapping.created_at = value(section, "created_at");
    mapping.content_type = value(section, "content_type");
    const auto topic = value(section, "topic");
    const auto pattern = value(section, "topic_template");
    if (topic && pattern) {
        throw UsageError("[table] topic, a column, and topic_template exclude each other");
    }
    mapping.topic = topic ? std::vector<TopicPart>{{*topic, true}}
                          : parts_of(pattern ? std::string_view(*pattern) : debeziums_topic, mapping);
    return mapping;
}

} // namespace outbox::migrations
