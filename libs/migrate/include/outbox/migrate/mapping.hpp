#pragma once

#include <outbox/core/settings.hpp>

#include <optional>
#include <string>
#include <vector>

namespace outbox::migrations {

/// A piece of a topic's name: text as it stands, or the value of a column.
struct TopicPart {
    std::string text; ///< of a column: its name
    bool column = false;
};

/// A table of the user's own whose rows become events, and which of its columns is what. What the file does
/// not name is called as in Debezium's outbox.
struct Mapping {
    std::string schema = "public";
    std::string name;
    std::string id = "id";
    std::string aggregate_type = "aggregatetype";
    std::string aggregate_id = "aggregateid";
    std::string event_type = "type";
    std::string event_data = "payload";
    std::vector<TopicPart> topic; ///< a single column, or what the template says
    std::optional<std::string> partition_key;
    std::optional<std::string> headers;
    std::optional<std::string> created_at;
    /// What event_data holds, which is then sent byte for byte: a media type, or the column that names one.
    std::optional<std::string> content_type;
};

/// The section [table] of the file; nullopt when there is none.
/// @throws UsageError naming the key and what is wrong.
std::optional<Mapping> mapping_from(const ConfigFile::Group& section);

} // namespace outbox::migrations
