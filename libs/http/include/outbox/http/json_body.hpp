#pragma once

#include <outbox/http/message.hpp>

#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

namespace outbox::http {

/// Deepest nesting of arrays and objects that is read.
inline constexpr int max_json_depth = 32;

/// A member's value, as far as handlers look at it.
struct JsonValue {
    enum class Kind { null, boolean, number, string, array, object };

    Kind kind = Kind::null;
    std::string text = {}; ///< a string's content; "true" or "false"; a number as it was written; else empty
};

/// The members of an object that were asked for, by name. Of one that comes twice the last counts.
using JsonObject = std::map<std::string, JsonValue, std::less<>>;

/// The members `wanted` of the JSON object that is the request's body. What else it has is checked and not
/// kept, so that cost and memory are linear in the body, whatever it is made of.
/// @throws ProblemError  415 wrong media type or encoding; 400 not JSON, not UTF-8 or nested too deeply;
///                       422 JSON, but not an object.
JsonObject read_json_object(const Request& request, std::initializer_list<std::string_view> wanted);

/// The same of a text that has no media type.
JsonObject parse_json_object(std::string_view text, std::initializer_list<std::string_view> wanted);

} // namespace outbox::http
