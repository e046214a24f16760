#include "report.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>
#include <vector>

namespace checker {
namespace {

const char* text_of(Status status) {
    switch (status) {
    case Status::unsent:
        return "unsent";
    case Status::sent:
        return "SENT";
    case Status::failed:
        return "FAILED";
    case Status::skipped:
        return "SKIPPED";
    case Status::unknown:
        break;
    }
    return "?";
}

} // namespace

void print_table(const Judge& judge, std::FILE* out) {
    std::vector<const Judge::Kept*> rows;
    std::size_t type_width = 10;
    std::size_t place_width = 22;
    const auto place = [&](const Judge::Kept& row) {
        const auto& seen = row.seen;
        return seen.count == 0
                   ? std::string("-")
                   : fmt::format("{}/{}/{}", judge.names().text(seen.topic), seen.partition, seen.offset);
    };
    for (const auto& row : judge.rows()) {
        rows.push_back(&row);
        type_width = std::max(type_width, judge.names().text(row.type).size());
        place_width = std::max(place_width, place(row).size());
    }
    std::sort(rows.begin(), rows.end(), [](const auto* a, const auto* b) { return a->rank < b->rank; });
    fmt::print(out, "{:<36}  {:<{}}  {:<8}  {:<{}}  {}\n", "id", "event_type", type_width, "status",
               "topic/partition/offset", place_width, "count");
    for (const auto* row : rows) {
        fmt::print(out, "{:<36}  {:<{}}  {:<8}  {:<{}}  {:>5}\n", row->id.text(),
                   judge.names().text(row->type), type_width, text_of(row->status), place(*row), place_width,
                   row->seen.count);
    }
}

void print_details(const Verdict& verdict, std::FILE* out) {
    for (const auto& [kind, findings] : verdict.findings) {
        for (const auto& finding : findings.first) {
            fmt::print(out, "{}: {}\n", name_of(kind), finding);
        }
        if (findings.count > findings.first.size()) {
            fmt::print(out, "{}: and {} more\n", name_of(kind), findings.count - findings.first.size());
        }
    }
    if (verdict.unplaced > 0) {
        fmt::print(out, "note: {} SENT row(s) without partition and offset, as a recovery leaves them\n",
                   verdict.unplaced);
    }
}

void print_json(const Verdict& verdict, bool passed, std::FILE* out) {
    nlohmann::ordered_json json{{"passed", passed},
                                {"events", verdict.events},
                                {"sent", verdict.sent},
                                {"unsent", verdict.unsent},
                                {"unplaced", verdict.unplaced}};
    nlohmann::ordered_json details = nlohmann::ordered_json::object();
    for (const auto kind : kinds) {
        json[std::string(name_of(kind))] = verdict.count(kind);
        if (const auto found = verdict.findings.find(kind); found != verdict.findings.end()) {
            details[std::string(name_of(kind))] = found->second.first;
        }
    }
    json["details"] = std::move(details);
    using Json = nlohmann::ordered_json;
    fmt::print(out, "{}\n", json.dump(-1, ' ', false, Json::error_handler_t::replace));
}

} // namespace checker
