#include "server_metrics.hpp"

#include <outbox/kafka/version.hpp>
#include <outbox/metrics/all_metrics.hpp>
#include <outbox/metrics/process.hpp>
#include <outbox/postgres/sessions.hpp>

namespace outbox {
namespace {

double seconds(SteadyClock::duration span) {
    return std::chrono::duration<double>(span).count();
}

} // namespace

ServerMetrics::ServerMetrics(const std::string& outbox)
    : registry_({{"outbox", outbox}}),
      waits_(registry_.histogram(metrics::database_connection_wait_seconds)) {
    registry_.add_source([this](metrics::Samples& samples) {
        samples.add(metrics::http_requests_in_flight, static_cast<double>(in_flight_));
        samples.add(metrics::database_connections, static_cast<double>(postgres::open_sessions()));
        metrics::add_build(samples, {kafka::library_version(), postgres::library_version()});
        metrics::add_process(samples);
    });
}

/// A request that was never whole took no time of ours.
void ServerMetrics::answered(const Answered& answered) {
    const auto& [route, method, status, took] = answered;
    const std::lock_guard lock(mutex_);
    auto counted = requests_.find({route, method, status});
    if (counted == requests_.end()) {
        const metrics::Labels labels{{"route", std::string(route)},
                                     {"method", std::string(method)},
                                     {"status", std::to_string(status)}};
        counted =
            requests_
                .emplace(Key{route, method, status}, registry_.counter(metrics::http_requests_total, labels))
                .first;
    }
    counted->second.add();
    if (took == SteadyClock::duration::zero()) {
        return;
    }
    auto timed = durations_.find({route, method});
    if (timed == durations_.end()) {
        const metrics::Labels labels{{"route", std::string(route)}, {"method", std::string(method)}};
        timed = durations_
                    .emplace(std::pair(route, method),
                             registry_.histogram(metrics::http_request_duration_seconds, labels))
                    .first;
    }
    timed->second.observe(seconds(took));
}

void ServerMetrics::waited(SteadyClock::duration span) const {
    waits_.observe(seconds(span));
}

void ServerMetrics::watch(const http::WorkerPool& pool) {
    registry_.add_source([&pool](metrics::Samples& samples) {
        samples.add(metrics::http_queue_length, static_cast<double>(pool.waiting()));
    });
}

} // namespace outbox
