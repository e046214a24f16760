#include "outbox/http/router.hpp"

#include <algorithm>
#include <optional>
#include <set>

namespace outbox::http {
namespace {

std::string_view take_segment(std::string_view& rest) {
    const auto end = std::min(rest.find('/'), rest.size());
    const auto segment = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return segment;
}

/// @return what the placeholders stand for, nullopt when the path is another one.
std::optional<std::vector<std::string>> fit(std::string_view pattern, std::string_view path) {
    if (std::ranges::count(pattern, '/') != std::ranges::count(path, '/')) {
        return std::nullopt;
    }
    std::vector<std::string> parameters;
    while (!pattern.empty() || !path.empty()) {
        const auto wanted = take_segment(pattern);
        const auto given = take_segment(path);
        if (wanted.starts_with('{')) {
            if (given.empty()) {
                return std::nullopt;
            }
            parameters.emplace_back(given);
        } else if (wanted != given) {
            return std::nullopt;
        }
    }
    return parameters;
}

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
    return NoSuchMethod{joined(allowed)};
}

} // namespace outbox::http
