// Finds a route by walking over all of them: there are a dozen, and a table would be longer than the
// walk.

#include "outbox/http/router.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

namespace outbox::http {
namespace {

/// Takes the text up to the next '/' off a path.
std::string_view take_segment(std::string_view& rest) {
    const auto end = std::min(rest.find('/'), rest.size());
    const auto segment = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return segment;
}

/// A segment without its percent-encoding. An escape that is none stays, and fits nothing.
std::string decoded(std::string_view segment) {
    std::string text;
    for (std::size_t i = 0; i < segment.size(); ++i) {
        unsigned char byte = 0;
        const char* digits = segment.data() + i + 1;
        if (segment[i] == '%' && i + 2 < segment.size() &&
            std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
            text += static_cast<char>(byte);
            i += 2;
        } else {
            text += segment[i];
        }
    }
    return text;
}

/// @return what the placeholders stand for, nullopt when the path is another one.
std::optional<std::vector<std::string>> fit(std::string_view pattern, std::string_view path) {
    if (std::ranges::count(pattern, '/') != std::ranges::count(path, '/')) {
        return std::nullopt;
    }
    std::vector<std::string> parameters;
    while (!pattern.empty() || !path.empty()) {
        const auto wanted = take_segment(pattern);
        auto given = decoded(take_segment(path));
        if (wanted.starts_with('{')) {
            if (given.empty()) {
                return std::nullopt;
            }
            parameters.push_back(std::move(given));
        } else if (wanted != given) {
            return std::nullopt;
        }
    }
    return parameters;
}

/// "GET, HEAD, PUT", as Allow has it.
std::string joined(const std::set<std::string>& methods) {
    std::string list;
    for (const std::string& method : methods) {
        list += (list.empty() ? "" : ", ") + method;
    }
    return list;
}

} // namespace

Router::Found Router::find(std::string_view method, std::string_view path) const {
    const std::string_view wanted = method == "HEAD" ? "GET" : method;
    std::set<std::string> allowed;
    for (const Route& route : routes_) {
        // A path that exists with another method answers 405 and says which there are; only a
        // path that nobody has is 404.
        auto parameters = fit(route.pattern, path);
        if (!parameters) {
            continue;
        }
        if (route.method == wanted) {
            return Match{&route, std::move(*parameters)};
        }
        allowed.insert(route.method);
        if (route.method == "GET") {
            allowed.insert("HEAD");
        }
    }
    if (allowed.empty()) {
        return NoSuchPath{};
    }
    allowed.insert("OPTIONS"); // answered by the dispatcher
    return NoSuchMethod{joined(allowed)};
}

} // namespace outbox::http
