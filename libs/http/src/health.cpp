// Answers /health and /readyz. A dependency is asked at most once in `fresh_for`, under its own mutex,
// so any number of callers cost one question; a dependency that is away is asked less often. Reasons go
// into the log when they change, never into the answer, which anybody may read.

#include "outbox/http/health.hpp"

#include <outbox/core/one_line.hpp>
#include <outbox/telemetry/log.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>

namespace outbox::http {
Health::Health(std::vector<std::unique_ptr<Dependency>> dependencies, milliseconds fresh_for,
               milliseconds check_timeout)
    : fresh_for_(fresh_for),
      check_timeout_(check_timeout) {
    for (auto& dependency : dependencies) {
        entries_.push_back(std::make_unique<Entry>());
        entries_.back()->dependency = std::move(dependency);
    }
}

milliseconds Health::fresh_for(int failures) const {
    constexpr int most_doublings = 2;
    return fresh_for_ * (1 << std::clamp(failures - 1, 0, most_doublings));
}

bool Health::is_up(Entry& entry) const {
    const std::lock_guard lock(entry.mutex);
    if (entry.checked && SteadyClock::now() - *entry.checked < fresh_for(entry.failures)) {
        return entry.error.empty();
    }
    // Asked under the entry's mutex: whoever comes meanwhile waits for this answer and gets
    // it.
    const bool was_there = entry.error.empty();
    try {
        entry.dependency->check(Deadline::in(check_timeout_));
        entry.error.clear();
        entry.failures = 0;
    } catch (const std::exception& error) {
        entry.error = one_line(error.what());
        ++entry.failures;
    }
    entry.checked = SteadyClock::now();
    if (was_there && !entry.error.empty()) {
        log::warn("dependency lost", {{"dependency", entry.dependency->name()}, {"reason", entry.error}});
    } else if (!was_there && entry.error.empty()) {
        log::info("dependency is back", {{"dependency", entry.dependency->name()}});
    }
    return entry.error.empty();
}

template <class Choose>
Response Health::report_on(Choose choose) {
    nlohmann::ordered_json dependencies;
    bool healthy = true;
    for (const auto& entry : entries_) {
        if (choose(*entry->dependency)) {
            const bool up = is_up(*entry);
            dependencies[std::string(entry->dependency->name())]["status"] = up ? "up" : "down";
            healthy = healthy && up;
        }
    }
    const nlohmann::ordered_json json{{"status", healthy ? "up" : "down"}, {"dependencies", dependencies}};
    Response response;
    response.status = healthy ? 200 : 503;
    response.body = json.dump();
    response.headers.add("Cache-Control", "no-store");
    if (!healthy) {
        response.headers.add("Retry-After", "1");
    }
    return response;
}

Response Health::report() {
    return report_on([](const Dependency&) { return true; });
}

Response Health::readiness() {
    return report_on([](const Dependency& dependency) { return dependency.needed_for_requests(); });
}

} // namespace outbox::http
