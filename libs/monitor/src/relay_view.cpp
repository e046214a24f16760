#include "relay_view.hpp"

#include <outbox/metrics/all_metrics.hpp>

#include <array>

namespace outbox::monitor {
namespace {

using relay::ShardState;

constexpr std::size_t most_topics = 100; ///< one more is counted with "(others)"
constexpr std::array shown{ShardState::unowned,   ShardState::fencing,     ShardState::reading,
                           ShardState::settling,  ShardState::working,     ShardState::resting,
                           ShardState::releasing, ShardState::backing_off, ShardState::stopped};

} // namespace

/// A shard that has ended here is another relay's: its series end as well.
void RelayView::state_changed(const relay::happened::StateChanged& changed) {
    const std::lock_guard lock(mutex_);
    if (changed.to == ShardState::ended) {
        shards_.erase(changed.shard);
        return;
    }
    Shard& shard = shards_[changed.shard];
    shard.state = changed.to;
    shard.epoch = changed.epoch;
}

void RelayView::breaker(const relay::happened::Breaker& breaker) {
    const std::lock_guard lock(mutex_);
    if (const auto found = shards_.find(breaker.shard); found != shards_.end()) {
        found->second.breaker_open = breaker.open;
    }
}

void RelayView::control_lag(const relay::happened::ControlLag& lag) {
    const std::lock_guard lock(mutex_);
    if (const auto found = shards_.find(lag.shard); found != shards_.end()) {
        found->second.control_lag = lag.manifests;
    }
}

void RelayView::pauses_changed(const relay::happened::PausesChanged& paused) {
    const std::lock_guard lock(mutex_);
    paused_ = paused;
}

void RelayView::topic_parked(std::string_view topic) {
    const std::lock_guard lock(mutex_);
    parked_.emplace(topic);
}

void RelayView::topic_takes(std::string_view topic) {
    const std::lock_guard lock(mutex_);
    if (const auto found = parked_.find(topic); found != parked_.end()) {
        parked_.erase(found);
    }
}

void RelayView::moved(const relay::happened::Moved& moved, SteadyClock::time_point now) {
    const std::lock_guard lock(mutex_);
    if (moved.ended) {
        loops_.erase(moved.pipeline);
    } else {
        loops_[moved.pipeline] = now;
    }
}

void RelayView::has_shards(int number) {
    const std::lock_guard lock(mutex_);
    shard_count_ = number;
}

void RelayView::drains() {
    const std::lock_guard lock(mutex_);
    draining_ = true;
}

void RelayView::sample(metrics::Samples& samples) const {
    const std::lock_guard lock(mutex_);
    std::size_t owned = 0;
    const auto each = [this, &samples](const metrics::Metric& metric, const auto& value) {
        for (const auto& [number, shard] : shards_) {
            if (const std::optional<double> found = value(shard)) {
                samples.add(metric, *found, {{"shard", std::to_string(number)}});
            }
        }
    };
    for (const auto& [number, shard] : shards_) {
        owned += shard.epoch > 0 ? 1 : 0;
        for (const ShardState state : shown) {
            samples.add(metrics::shard_state, shard.state == state ? 1 : 0,
                        {{"shard", std::to_string(number)}, {"state", std::string(name_of(state))}});
        }
    }
    samples.add(metrics::shards_owned, static_cast<double>(owned));
    if (shard_count_ > 0) {
        samples.add(metrics::shards, shard_count_);
    }
    each(metrics::shard_epoch, [](const Shard& shard) {
        return shard.epoch > 0 ? std::optional(static_cast<double>(shard.epoch)) : std::nullopt;
    });
    each(metrics::shard_breaker_open,
         [](const Shard& shard) { return std::optional(shard.breaker_open ? 1.0 : 0.0); });
    each(metrics::control_topic_lag, [](const Shard& shard) {
        return shard.control_lag ? std::optional(static_cast<double>(*shard.control_lag)) : std::nullopt;
    });
    samples.add(metrics::paused, static_cast<double>(paused_.shards), {{"scope", "shard"}});
    samples.add(metrics::paused, static_cast<double>(paused_.topics), {{"scope", "topic"}});
    std::size_t told = 0;
    for (const std::string& topic : parked_) {
        if (++told > most_topics) {
            samples.add(metrics::breaker_open, static_cast<double>(parked_.size() - most_topics),
                        {{"topic", "(others)"}});
            break;
        }
        samples.add(metrics::breaker_open, 1, {{"topic", topic}});
    }
}

std::set<int> RelayView::owned() const {
    const std::lock_guard lock(mutex_);
    std::set<int> shards;
    for (const auto& [number, shard] : shards_) {
        if (shard.epoch > 0) {
            shards.insert(number);
        }
    }
    return shards;
}

bool RelayView::draining() const {
    const std::lock_guard lock(mutex_);
    return draining_;
}

std::vector<RelayView::Loop> RelayView::loops(SteadyClock::time_point now) const {
    const std::lock_guard lock(mutex_);
    std::vector<Loop> loops;
    for (const auto& [pipeline, moved] : loops_) {
        loops.push_back({pipeline ? "pipeline " + std::to_string(*pipeline) : "relay",
                         std::chrono::duration_cast<milliseconds>(now - moved)});
    }
    return loops;
}

} // namespace outbox::monitor
