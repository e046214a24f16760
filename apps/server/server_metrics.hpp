#pragma once

#include <outbox/http/request_observer.hpp>
#include <outbox/http/worker_pool.hpp>
#include <outbox/metrics/registry.hpp>

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <tuple>

namespace outbox {

/// What /metrics of the server shows. Thread-safe.
class ServerMetrics final : public http::RequestObserver {
public:
    /// @param outbox  the label of every series
    explicit ServerMetrics(const std::string& outbox);

    void began() override { ++in_flight_; }
    void ended() override { --in_flight_; }
    void answered(const Answered& answered) override;
    /// For a pool of connections.
    void waited(SteadyClock::duration span) const;
    /// @param pool  whose queue is shown; outlives the last scrape
    void watch(const http::WorkerPool& pool);

    [[nodiscard]] const metrics::Registry& registry() const { return registry_; }

private:
    using Key =
        std::tuple<std::string_view, std::string_view, int>; ///< route and method live as long as the router

    metrics::Registry registry_;
    const metrics::Histogram waits_;
    std::atomic<std::int64_t> in_flight_{0};
    std::mutex mutex_; ///< of the maps
    std::map<Key, metrics::Counter> requests_;
    std::map<std::pair<std::string_view, std::string_view>, metrics::Histogram> durations_;
};

} // namespace outbox
