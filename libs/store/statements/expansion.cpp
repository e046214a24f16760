// Fills fragments into statements when the product is built. A fragment may take arguments and hold
// other fragments; one that holds itself is refused, and so is one that nobody uses. The result is
// plain SQL, so what psql shows is what the server gets.

#include "expansion.hpp"

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace outbox::statements {
namespace {

bool begins_name(char c) {
    return c >= 'a' && c <= 'z';
}

bool continues_name(char c) {
    return begins_name(c) || (c >= '0' && c <= '9') || c == '_';
}

std::string trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(" \n");
    return begin == std::string_view::npos
               ? std::string()
               : std::string(text.substr(begin, text.find_last_not_of(" \n") - begin + 1));
}

/// The lines of a part stand below each other.
void append(std::string& text, const std::string& part) {
    const auto line = text.rfind('\n');
    const std::string indent(text.size() - (line == std::string::npos ? 0 : line + 1), ' ');
    for (const char c : part) {
        text += c;
        text += c == '\n' ? indent : "";
    }
}

} // namespace

bool is_name(std::string_view text) {
    return !text.empty() && begins_name(text.front()) &&
           std::all_of(text.begin(), text.end(), continues_name);
}

/// Quotes are followed so that a comma or parenthesis inside of them counts for nothing.
std::pair<std::vector<std::string>, std::size_t> arguments_of(std::string_view text, std::size_t open,
                                                              const std::string& where) {
    std::vector<std::string> arguments;
    std::size_t begin = open + 1;
    int depth = 1;
    bool quoted = false;
    for (std::size_t at = begin; at < text.size(); ++at) {
        const char c = text[at];
        if (c == '\'' || quoted) {
            quoted = quoted != (c == '\'');
            continue;
        }
        depth += c == '(' || c == '{' ? 1 : 0;
        depth -= c == ')' || c == '}' ? 1 : 0;
        if (depth == 0 || (depth == 1 && c == ',')) {
            arguments.push_back(trimmed(text.substr(begin, at - begin)));
            begin = at + 1;
        }
        if (depth == 0) {
            return {std::move(arguments), begin};
        }
    }
    throw std::runtime_error(where + "the arguments '" + std::string(text.substr(open, 40)) + "' do not end");
}

std::string Expansion::fill(std::string_view text, const std::set<std::string>& places,
                            const std::string& where) {
    places_ = &places;
    where_ = where;
    return expand(text, {});
}

std::string Expansion::expand(std::string_view text, const Arguments& known) {
    std::string filled;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t end = at + 1;
        if (text[at] == '{' && end < text.size() && begins_name(text[end])) {
            while (end < text.size() && continues_name(text[end])) {
                ++end;
            }
            const std::string name(text.substr(at + 1, end - at - 1));
            std::vector<std::string> arguments;
            if (end < text.size() && text[end] == '(') {
                std::tie(arguments, end) = arguments_of(text, end, where_);
                for (std::string& argument : arguments) {
                    argument = expand(argument, known);
                }
            }
            if (end < text.size() && text[end] == '}') {
                const auto argument = known.find(name);
                append(filled, argument != known.end() ? argument->second : call(name, arguments));
                at = end + 1;
                continue;
            }
            end = at + 1; // an array's text, a regular expression
        }
        filled += text[at];
        at = end;
    }
    return filled;
}

std::string Expansion::call(const std::string& name, const std::vector<std::string>& arguments) {
    if (places_->contains(name)) {
        return "{" + name + "}";
    }
    const auto found = fragments_.find(name);
    if (found == fragments_.end()) {
        throw std::runtime_error(where_ + "there is no fragment " + name);
    }
    Fragment& fragment = found->second;
    if (fragment.parameters.size() != arguments.size()) {
        throw std::runtime_error(where_ + "fragment " + name + " takes " +
                                 std::to_string(fragment.parameters.size()) + " arguments, and is given " +
                                 std::to_string(arguments.size()));
    }
    if (std::find(open_.begin(), open_.end(), name) != open_.end()) {
        throw std::runtime_error(where_ + "fragment " + name + " holds itself");
    }
    fragment.used = true;
    Arguments known;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        known.emplace(fragment.parameters[i], arguments[i]);
    }
    open_.push_back(name);
    auto text = expand(fragment.text, known);
    open_.pop_back();
    return text;
}

} // namespace outbox::statements
