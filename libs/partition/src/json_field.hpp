#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::partition {

/// The members and indexes that a JSON pointer (RFC 6901) names; nullopt when the text is no pointer to a
/// field.
std::optional<std::vector<std::string>> parse_pointer(std::string_view pointer);

/// What was found in a JSON text.
struct Field {
    /// The scalar: a string's content, a number or boolean as it is written. nullopt when there is none.
    std::optional<std::string> value;
    bool too_deep = false; ///< more objects and arrays within each other than are read: nobody knows
};

/// What stands at `path`.
Field field_at(std::string_view text, const std::vector<std::string>& path);

} // namespace outbox::partition
