#pragma once

#include "relay_view.hpp"

#include <outbox/metrics/registry.hpp>
#include <outbox/postgres/connection.hpp>
#include <outbox/store/sample.hpp>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

namespace outbox::monitor {

/// What a scrape shows of the database. It is looked at on a thread and a connection of its own, at most once
/// in five seconds, and for a twentieth of the time at most; while nobody scrapes, and while this relay owns
/// no shard, not at all. Thread-safe.
class DatabaseSample {
public:
    /// @param view  outlives it
    DatabaseSample(postgres::ConnectOptions options, const RelayView& view);
    DatabaseSample(const DatabaseSample&) = delete;
    DatabaseSample& operator=(const DatabaseSample&) = delete;
    ~DatabaseSample();

    /// Adds what is known; where that is old, waits a moment for the database, half a second at most.
    void sample(metrics::Samples& samples);

private:
    void serve();
    void look();
    [[nodiscard]] bool is_due() const;

    const postgres::ConnectOptions options_;
    const RelayView& view_;
    std::optional<postgres::Connection> connection_; ///< the thread's
    bool told_ = false;                              ///< the thread's: that it does not answer
    std::mutex mutex_;                               ///< of the rest
    std::condition_variable changed_;
    bool wanted_ = false;
    bool over_ = false;
    store::Sample found_;
    std::optional<SteadyClock::time_point> at_; ///< of what was found
    SteadyClock::time_point next_{};            ///< not to be looked at before
    std::jthread thread_;                       ///< the last member: it uses the others
};

} // namespace outbox::monitor
