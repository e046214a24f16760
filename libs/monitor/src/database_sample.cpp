#include "database_sample.hpp"

#include <outbox/metrics/all_metrics.hpp>
#include <outbox/telemetry/log.hpp>

#include <algorithm>

namespace outbox::monitor {
namespace {

using namespace std::chrono_literals;

constexpr milliseconds fresh_for = 5s;
constexpr SteadyClock::duration after_failure = 15s;
constexpr milliseconds patience = 500ms; ///< of a scrape
constexpr milliseconds time_limit = 3s;  ///< of a look
constexpr int share = 20;                ///< a look may take one part in so many of the time
constexpr milliseconds idle_time = 60s;  ///< nobody has scraped for so long: the connection is closed

postgres::ConnectOptions own_options(postgres::ConnectOptions options) {
    options.application_name = "outbox-relay-metrics";
    options.connect_timeout = time_limit;
    options.statement_timeout = time_limit * 4 / 5;
    return options;
}

} // namespace

DatabaseSample::DatabaseSample(postgres::ConnectOptions options, const RelayView& view)
    : options_(own_options(std::move(options))),
      view_(view),
      thread_([this] { serve(); }) {}

DatabaseSample::~DatabaseSample() {
    const std::lock_guard lock(mutex_);
    over_ = true;
    changed_.notify_all();
}

/// @pre the mutex is held
bool DatabaseSample::is_due() const {
    return SteadyClock::now() >= next_;
}

void DatabaseSample::serve() {
    while (true) {
        {
            std::unique_lock lock(mutex_);
            if (!changed_.wait_for(lock, idle_time, [this] { return wanted_ || over_; })) {
                connection_.reset();
                continue;
            }
            if (over_) {
                return;
            }
        }
        look();
    }
}

void DatabaseSample::look() {
    const auto begin = SteadyClock::now();
    std::optional<store::Sample> found;
    try {
        if (!connection_ || !connection_->usable()) {
            connection_ = postgres::Connection::open(options_, Deadline::in(time_limit));
        }
        found = store::read_sample(*connection_, view_.owned(), Deadline::in(time_limit));
        told_ = false;
    } catch (const std::exception& error) {
        if (!std::exchange(told_, true)) {
            log::warn("metrics of the database are old: it does not answer", {{"reason", error.what()}});
        }
    }
    const auto end = SteadyClock::now();
    const std::lock_guard lock(mutex_);
    if (found) {
        found_ = std::move(*found);
        at_ = begin;
    }
    next_ = end + (found ? std::max<SteadyClock::duration>(fresh_for, (end - begin) * share) : after_failure);
    wanted_ = false;
    changed_.notify_all();
}

void DatabaseSample::sample(metrics::Samples& samples) {
    const std::set<int> owned = view_.owned();
    std::unique_lock lock(mutex_);
    if (owned.empty()) {
        found_ = {};
        at_.reset();
        next_ = {}; // the first shard is looked at at once
    } else if (wanted_ || is_due()) {
        if (!wanted_) {
            wanted_ = true;
            changed_.notify_all();
        }
        changed_.wait_for(lock, patience, [this] { return !wanted_; });
    }
    double failed = 0;
    double blocked = 0;
    const auto each = [&](const metrics::Metric& metric, const auto& value) {
        for (const store::ShardSample& shard : found_.shards) {
            if (owned.contains(shard.shard)) {
                samples.add(metric, value(shard), {{"shard", std::to_string(shard.shard)}});
            }
        }
    };
    each(metrics::waiting_events,
         [](const store::ShardSample& shard) { return static_cast<double>(shard.waiting); });
    each(metrics::oldest_event_age_seconds,
         [](const store::ShardSample& shard) { return std::chrono::duration<double>(shard.oldest).count(); });
    for (const store::ShardSample& shard : found_.shards) {
        if (owned.contains(shard.shard)) {
            failed += static_cast<double>(shard.failed);
            blocked += static_cast<double>(shard.blocked_keys);
        }
    }
    samples.add(metrics::failed_events, failed);
    samples.add(metrics::blocked_keys, blocked);
    if (at_) {
        samples.add(metrics::xmin_age_seconds,
                    std::chrono::duration<double>(found_.oldest_transaction).count());
        samples.add(metrics::database_age_seconds,
                    std::chrono::duration<double>(SteadyClock::now() - *at_).count());
    }
}

} // namespace outbox::monitor
