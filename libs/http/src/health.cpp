// Answers /health and /readyz. A dependency is asked at most once in `fresh_for`, however many ask, and one
// that is away less often. The questions are put on threads of their own: some cannot be given up in time,
// such as that for a host's address, and an answer that comes too late is one that says nothing.

#include "outbox/http/health.hpp"

#include <outbox/core/one_line.hpp>
#include <outbox/telemetry/log.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace outbox::http {

struct Health::Entry {
    std::unique_ptr<Dependency> dependency;
    mutable std::mutex mutex = {}; ///< of the rest
    std::condition_variable changed = {};
    bool wanted = false;    ///< it is being asked, or about to be
    bool over = false;      ///< the thread shall end
    std::string error = {}; ///< empty: it was there
    int failures = 0;       ///< in a row
    milliseconds took{0};
    std::optional<SteadyClock::time_point> checked = {};
    std::jthread thread = {}; ///< the last member: it uses the others
};

Health::Health(std::vector<std::unique_ptr<Dependency>> dependencies, Limits limits) : limits_(limits) {
    for (auto& dependency : dependencies) {
        entries_.push_back(std::make_unique<Entry>());
        Entry& entry = *entries_.back();
        entry.dependency = std::move(dependency);
        entry.thread = std::jthread([this, &entry] { serve(entry); });
    }
}

Health::~Health() {
    for (const auto& entry : entries_) {
        const std::lock_guard lock(entry->mutex);
        entry->over = true;
        entry->changed.notify_all();
    }
}

/// @pre the entry's mutex is held
bool Health::is_fresh(const Entry& entry) const {
    constexpr int most_doublings = 2;
    const auto span = limits_.fresh_for * (1 << std::clamp(entry.failures - 1, 0, most_doublings));
    return entry.checked && SteadyClock::now() - *entry.checked < span;
}

/// The thread of one dependency: asks when somebody wants to know.
void Health::serve(Entry& entry) const {
    while (true) {
        {
            std::unique_lock lock(entry.mutex);
            entry.changed.wait(lock, [&entry] { return entry.wanted || entry.over; });
            if (entry.over) {
                return;
            }
        }
        check(entry);
    }
}

void Health::check(Entry& entry) const {
    const auto begin = SteadyClock::now();
    std::string error;
    try {
        entry.dependency->check(Deadline::in(limits_.check_timeout));
    } catch (const std::exception& failure) {
        error = one_line(failure.what());
        error = error.empty() ? "failed" : error;
    }
    const auto name = entry.dependency->name();
    const std::lock_guard lock(entry.mutex);
    if (entry.error.empty() && !error.empty()) {
        log::warn("dependency lost", {{"dependency", name}, {"reason", error}});
    } else if (!entry.error.empty() && error.empty()) {
        log::info("dependency is back", {{"dependency", name}});
    }
    entry.failures = error.empty() ? 0 : entry.failures + 1;
    entry.error = std::move(error);
    entry.checked = SteadyClock::now();
    entry.took = std::chrono::duration_cast<milliseconds>(*entry.checked - begin);
    entry.wanted = false;
    entry.changed.notify_all();
}

Health::Finding Health::wait_for(Entry& entry, Deadline deadline) const {
    std::unique_lock lock(entry.mutex);
    const auto name = entry.dependency->name();
    if (!entry.changed.wait_until(lock, deadline.time(), [&entry] { return !entry.wanted; })) {
        const auto waited = limits_.answer_within;
        const auto why =
            entry.error.empty() ? fmt::format("no answer in {} ms", waited.count()) : entry.error;
        return {name, false, why, waited};
    }
    return {name, entry.error.empty(), entry.error, entry.took};
}

std::vector<Health::Finding> Health::ask(bool only_needed_for_requests) {
    const Deadline deadline = Deadline::in(limits_.answer_within);
    std::vector<Entry*> asked;
    for (const auto& entry : entries_) {
        if (only_needed_for_requests && !entry->dependency->needed_for_requests()) {
            continue;
        }
        asked.push_back(entry.get());
        const std::lock_guard lock(entry->mutex);
        if (!entry->wanted && !is_fresh(*entry)) {
            entry->wanted = true;
            entry->changed.notify_all();
        }
    }
    std::vector<Finding> findings;
    std::ranges::transform(asked, std::back_inserter(findings),
                           [&](Entry* entry) { return wait_for(*entry, deadline); });
    return findings;
}

namespace {

Response answer(const std::vector<Health::Finding>& findings, bool with_durations) {
    nlohmann::ordered_json dependencies;
    for (const Health::Finding& finding : findings) {
        auto& told = dependencies[std::string(finding.name)];
        told["status"] = finding.up ? "up" : "down";
        if (with_durations) {
            told["duration_ms"] = finding.took.count();
        }
    }
    return health_response(std::ranges::all_of(findings, &Health::Finding::up),
                           nlohmann::ordered_json{{"dependencies", dependencies}}.dump());
}

} // namespace

Response health_response(bool healthy, const std::string& members) {
    nlohmann::ordered_json json{{"status", healthy ? "up" : "down"}};
    json.update(nlohmann::ordered_json::parse(members));
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
    return answer(ask(false), true);
}

Response Health::readiness() {
    return answer(ask(true), false);
}

} // namespace outbox::http
