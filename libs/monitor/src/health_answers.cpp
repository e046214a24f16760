#include "health_answers.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace outbox::monitor {
namespace {

using Json = nlohmann::ordered_json;

bool all_move(const std::vector<RelayView::Loop>& loops) {
    return std::ranges::all_of(loops, [](const RelayView::Loop& loop) { return loop.still < stuck_after; });
}

bool all_up(const std::vector<http::Health::Finding>& findings) {
    return std::ranges::all_of(findings, &http::Health::Finding::up);
}

Json dependencies(const std::vector<http::Health::Finding>& findings, bool details) {
    Json all = Json::object();
    for (const http::Health::Finding& finding : findings) {
        Json& told = all[std::string(finding.name)];
        told["status"] = finding.up ? "up" : "down";
        if (details) {
            told["duration_ms"] = finding.took.count();
            if (!finding.up) {
                told["reason"] = finding.reason;
            }
        }
    }
    return all;
}

Json stuck(const std::vector<RelayView::Loop>& loops) {
    Json names = Json::array();
    for (const RelayView::Loop& loop : loops) {
        if (loop.still >= stuck_after) {
            names.push_back(loop.name);
        }
    }
    return names;
}

/// Reasons come from servers, so they may hold anything.
std::string text(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

} // namespace

http::Response livez(const std::vector<RelayView::Loop>& loops) {
    const Json names = stuck(loops);
    return http::health_response(names.empty(),
                                 text(names.empty() ? Json::object() : Json{{"stuck", names}}));
}

http::Response readyz(const std::vector<http::Health::Finding>& findings, bool draining) {
    return http::health_response(
        all_up(findings) && !draining,
        text({{"draining", draining}, {"dependencies", dependencies(findings, false)}}));
}

http::Response health(const std::vector<http::Health::Finding>& findings, bool draining,
                      const std::vector<RelayView::Loop>& loops, std::size_t shards) {
    Json told = Json::object();
    for (const RelayView::Loop& loop : loops) {
        told[loop.name] = {{"status", loop.still < stuck_after ? "up" : "down"},
                           {"still_ms", loop.still.count()}};
    }
    return http::health_response(all_up(findings) && !draining && all_move(loops),
                                 text({{"draining", draining},
                                       {"shards_owned", shards},
                                       {"dependencies", dependencies(findings, true)},
                                       {"loops", told}}));
}

} // namespace outbox::monitor
