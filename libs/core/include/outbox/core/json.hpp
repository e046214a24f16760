#pragma once

#include <cstddef>
#include <string>
#include <string_view>

/// JSON text, read in one pass from its beginning. No number is ever computed: each stays the text that it
/// is.
namespace outbox::json {

/// Objects and arrays within each other that a text may have. PostgreSQL stores about 6,000 with its default
/// max_stack_depth.
inline constexpr std::size_t max_depth = 10'000;

/// What a scalar is; arrays and objects are told by functions of their own.
enum class Kind { null, boolean, number, string };

/// What a text is made of, in the order in which it stands there. Each function returns false to end the
/// reading.
class Visitor {
public:
    Visitor() = default;
    Visitor(const Visitor&) = delete;
    Visitor& operator=(const Visitor&) = delete;
    virtual ~Visitor() = default;

    virtual bool open_object() = 0;
    virtual bool close_object() = 0;
    virtual bool open_array() = 0;
    virtual bool close_array() = 0;
    /// Of the member whose value comes next. The same name may come twice.
    virtual bool name(std::string_view text) = 0;
    /// @param text  a string's content; of anything else what is written
    virtual bool scalar(Kind kind, std::string_view text) = 0;
};

/// How a reading ended.
enum class End {
    whole,   ///< the text is JSON
    stopped, ///< the visitor has seen enough
    no_json, ///< something is wrong with it, or stands behind it: syntax, UTF-8, half of a surrogate pair
    too_deep ///< more than max_depth
};

/// Linear in the text's length.
End read(std::string_view text, Visitor& visitor);

/// Whether the text is JSON that is not too deep.
bool is_json(std::string_view text);

} // namespace outbox::json
