#include "outbox/http/json_body.hpp"

#include "outbox/http/problem.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace outbox::http {
namespace {

using nlohmann::json;

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blank = " \t";
    text.remove_prefix(std::min(text.find_first_not_of(blank), text.size()));
    text.remove_suffix(text.size() - (text.find_last_not_of(blank) + 1));
    return text;
}

std::string lowered(std::string_view text) {
    std::string copy(text);
    std::ranges::transform(copy, copy.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return copy;
}

/// A parameter of the media type is fine unless it names a charset other than UTF-8.
bool is_utf8_json(std::string_view content_type) {
    std::string rest = lowered(content_type);
    const auto next_part = [&rest] {
        const auto end = std::min(rest.find(';'), rest.size());
        std::string part{trimmed(std::string_view(rest).substr(0, end))};
        rest.erase(0, end + 1);
        return part;
    };
    if (next_part() != "application/json") {
        return false;
    }
    while (!rest.empty()) {
        const std::string parameter = next_part();
        if (parameter.starts_with("charset=") && parameter != "charset=utf-8" &&
            parameter != "charset=\"utf-8\"") {
            return false;
        }
    }
    return true;
}

void require_json(const Headers& headers) {
    const auto type = headers.find("Content-Type");
    if (!type || !is_utf8_json(*type)) {
        throw ProblemError({415, "the body must be sent as Content-Type: application/json, in UTF-8"});
    }
    const auto encoding = headers.find("Content-Encoding");
    if (encoding && lowered(trimmed(*encoding)) != "identity") {
        throw ProblemError({415, "the body must be sent without a Content-Encoding"});
    }
}

json parse(const std::string& body) {
    const auto check_depth = [](int depth, json::parse_event_t, const json&) {
        if (depth > max_json_depth) {
            throw ProblemError(
                {400, fmt::format("the JSON is nested deeper than {} levels", max_json_depth)});
        }
        return true;
    };
    try {
        return json::parse(body, check_depth);
    } catch (const json::exception&) { // its text quotes the body; payloads are repeated nowhere
        throw ProblemError({400, "the body is not JSON in UTF-8"});
    }
}

} // namespace

json read_json_object(const Request& request) {
    require_json(request.headers);
    json value = parse(request.body);
    if (!value.is_object()) {
        throw ProblemError({422, "the body must be a JSON object", {{"", "must be an object"}}});
    }
    return value;
}

} // namespace outbox::http
