#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/metrics/registry.hpp>
#include <outbox/relay/happenings.hpp>

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace outbox::monitor {

/// How the relay is now, as far as it has told: what gauges and health answers are made of. Thread-safe; no
/// function waits for anything but its mutex.
class RelayView {
public:
    ///@{
    /// What has happened.
    void state_changed(const relay::happened::StateChanged& changed);
    void breaker(const relay::happened::Breaker& breaker);
    void control_lag(const relay::happened::ControlLag& lag);
    void pauses_changed(const relay::happened::PausesChanged& paused);
    void topic_parked(std::string_view topic);
    void topic_takes(std::string_view topic);
    void moved(const relay::happened::Moved& moved, SteadyClock::time_point now);
    void has_shards(int number);
    void drains();
    ///@}

    /// Adds gauges of shards, topics and pauses.
    void sample(metrics::Samples& samples) const;

    /// Shards that this relay owns.
    [[nodiscard]] std::set<int> owned() const;
    /// It ends.
    [[nodiscard]] bool draining() const;

    /// One of the relay's loops.
    struct Loop {
        std::string name;      ///< "relay", "pipeline 0"
        milliseconds still{0}; ///< since it began its last turn
    };
    [[nodiscard]] std::vector<Loop> loops(SteadyClock::time_point now) const;

private:
    struct Shard {
        relay::ShardState state = relay::ShardState::unowned;
        std::int64_t epoch = 0;
        bool breaker_open = false;
        std::optional<std::size_t> control_lag;
    };

    mutable std::mutex mutex_;
    std::map<int, Shard> shards_;
    std::set<std::string, std::less<>> parked_; ///< topics
    relay::happened::PausesChanged paused_;
    std::map<std::optional<int>, SteadyClock::time_point> loops_;
    int shard_count_ = 0; ///< 0: not known yet
    bool draining_ = false;
};

} // namespace outbox::monitor
