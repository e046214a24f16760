// Lines of `check` for people and for programs. What libraries and servers say may hold line breaks, so each
// text becomes one line.

#include "outbox/check/line.hpp"

#include <outbox/core/one_line.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>

namespace outbox::check {

std::string_view name_of(Status status) {
    switch (status) {
    case Status::ok:
        return "OK";
    case Status::warn:
        return "WARN";
    case Status::fail:
        return "FAIL";
    case Status::skip:
        break;
    }
    return "SKIP";
}

bool fails(const std::vector<Line>& lines) {
    return std::ranges::any_of(lines, [](const Line& line) { return line.status == Status::fail; });
}

std::string to_text(const std::vector<Line>& lines) {
    std::string text;
    for (const Line& line : lines) {
        fmt::format_to(std::back_inserter(text), "{:4}  {}: {}{}{}\n", name_of(line.status), line.name,
                       one_line(line.message), line.todo.empty() ? "" : "; type: ", one_line(line.todo));
    }
    return text;
}

std::string to_json(std::string_view program, const std::vector<Line>& lines) {
    using Json = nlohmann::ordered_json;
    Json checks = Json::array();
    for (const Line& line : lines) {
        checks.push_back({{"name", line.name},
                          {"status", name_of(line.status)},
                          {"message", one_line(line.message)},
                          {"todo", line.todo.empty() ? Json() : Json(one_line(line.todo))}});
    }
    const Json document{{"program", program}, {"ok", !fails(lines)}, {"checks", std::move(checks)}};
    return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

} // namespace outbox::check
