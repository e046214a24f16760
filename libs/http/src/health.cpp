#include "outbox/http/health.hpp"

#include <outbox/core/one_line.hpp>
#include <outbox/telemetry/log.hpp>

#include <nlohmann/json.hpp>

namespace outbox::http {
Health::Health(std::vector<std::unique_ptr<Dependency>> dependencies, milliseconds fresh_for,
               milliseconds check_timeout)
    : fresh_for_(fresh_for),
      check_timeout_(check_timeout) {
    for (auto& dependency : dependencies) {
        entries_.push_back({std::move(dependency), {}, {}});
    }
}

void Health::refresh(Entry& entry) const {
    if (entry.checked && SteadyClock::now() - *entry.checked < fresh_for_) {
        return;
    }
    const bool was_there = entry.error.empty();
    try {
        entry.dependency->check(Deadline::in(check_timeout_));
        entry.error.clear();
    } catch (const std::exception& error) {
        entry.error = one_line(error.what());
    }
    entry.checked = SteadyClock::now();
    if (was_there && !entry.error.empty()) {
        log::warn("dependency lost", {{"dependency", entry.dependency->name()}, {"reason", entry.error}});
    } else if (!was_there && entry.error.empty()) {
        log::info("dependency is back", {{"dependency", entry.dependency->name()}});
    }
}

Response Health::report() {
    const std::lock_guard lock(mutex_);
    nlohmann::ordered_json dependencies;
    bool healthy = true;
    for (Entry& entry : entries_) {
        refresh(entry);
        auto& json = dependencies[std::string(entry.dependency->name())];
        json["status"] = entry.error.empty() ? "up" : "down";
        if (!entry.error.empty()) {
            json["error"] = entry.error;
            healthy = false;
        }
    }
    const nlohmann::ordered_json json{{"status", healthy ? "up" : "down"}, {"dependencies", dependencies}};
    Response response;
    response.status = healthy ? 200 : 503;
    response.body = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    response.headers.add("Cache-Control", "no-store");
    if (!healthy) {
        response.headers.add("Retry-After", "1");
    }
    return response;
}

} // namespace outbox::http
