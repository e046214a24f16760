#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace outbox::statements {

/// A part that statements have in common.
struct Fragment {
    std::vector<std::string> parameters;
    std::string text;
    std::string where; ///< "FILE:LINE: ", for messages
    bool used = false;
};
using Fragments = std::map<std::string, Fragment>;

bool is_name(std::string_view text);

/// The arguments in parentheses, cut at the commas that stand in no parentheses, braces or quotes of theirs.
/// @param open  where the parenthesis opens in `text`
/// @return them, and where the next character stands
/// @throws std::runtime_error when they do not end
std::pair<std::vector<std::string>, std::size_t> arguments_of(std::string_view text, std::size_t open,
                                                              const std::string& where);

/// Puts fragments in the places of `{name}` and `{name(argument, ...)}`. Other braces are SQL's own.
class Expansion {
public:
    explicit Expansion(Fragments& fragments) : fragments_(fragments) {}

    /// @param places  names that stay as they are
    /// @param where  begins the message of what is thrown
    /// @throws std::runtime_error
    std::string fill(std::string_view text, const std::set<std::string>& places, const std::string& where);

private:
    using Arguments = std::map<std::string, std::string>;

    std::string expand(std::string_view text, const Arguments& known);
    std::string call(const std::string& name, const std::vector<std::string>& arguments);

    Fragments& fragments_;
    const std::set<std::string>* places_ = nullptr;
    std::string where_;
    std::vector<std::string> open_; ///< fragments that are being filled in
};

} // namespace outbox::statements
