#pragma once

#include "relay_view.hpp"

#include <outbox/metrics/registry.hpp>
#include <outbox/relay/observer.hpp>

#include <array>

namespace outbox::monitor {

/// Counts what happens in a relay. All series are there, at 0, from the beginning. Thread-safe.
class MetricsObserver final : public relay::Observer {
public:
    /// @param registry, view  outlive it
    MetricsObserver(metrics::Registry& registry, RelayView& view);

    void claimed(const relay::happened::Claimed& claimed) override;
    void skipped(const relay::happened::Skipped& skipped) override;
    void transaction_ended(const relay::happened::Transaction& ended) override;
    void sent(const relay::happened::Sent& sent) override;
    void marked(const relay::happened::Marked& marked) override;
    void control_lag(const relay::happened::ControlLag& lag) override { view_.control_lag(lag); }

    void retried(const relay::happened::Attempt& attempt) override;
    void failed(const relay::happened::Attempt& attempt) override;
    void failed_with_topic(const relay::happened::FailedWithTopic& failed) override;
    void dead_lettered(const relay::happened::DeadLettered& dead) override;

    void state_changed(const relay::happened::StateChanged& changed) override {
        view_.state_changed(changed);
    }
    void lease_expired(const relay::happened::LeaseExpired& expired) override;
    void took_over(const relay::happened::TookOver& taken) override;
    void gone(const relay::happened::Gone& gone) override;
    void recovered(const relay::happened::Recovered& recovered) override;
    void recovers(const relay::happened::Recovers& recovers) override;
    void pipeline_recovers(const relay::happened::PipelineRecovers& recovers) override;
    void breaker(const relay::happened::Breaker& breaker) override { view_.breaker(breaker); }
    void topic_parked(const delivery::TopicParked& parked) override { view_.topic_parked(parked.topic); }
    void topic_well(const delivery::TopicWell& well) override { view_.topic_takes(well.topic); }
    void topic_unneeded(std::string_view topic) override { view_.topic_takes(topic); }

    void moved(const relay::happened::Moved& moved) override { view_.moved(moved, SteadyClock::now()); }
    void started(const relay::happened::Started& started) override { view_.has_shards(started.shards); }
    void resharded(const relay::happened::Resharded& resharded) override {
        view_.has_shards(resharded.shards);
    }
    void waits(const relay::happened::Waits& waits) override;
    void pauses_changed(const relay::happened::PausesChanged& paused) override {
        view_.pauses_changed(paused);
    }
    void order_violation(const relay::happened::OrderViolation& violation) override;
    void drains(const relay::happened::Drains& /*drains*/) override { view_.drains(); }

private:
    RelayView& view_;
    metrics::Counter sent_;
    metrics::Counter failed_;
    metrics::Counter skipped_;
    metrics::Counter retried_;
    metrics::Counter dead_lettered_;
    metrics::Histogram latency_;
    metrics::Histogram claim_;
    metrics::Histogram mark_;
    std::array<metrics::Histogram, 3> transaction_; ///< by outcome
    metrics::Histogram transaction_events_;
    metrics::Counter takeovers_;
    metrics::Counter leases_;
    metrics::Counter recoveries_;
    metrics::Counter recovered_sent_;
    metrics::Counter recovered_reset_;
    metrics::Counter recovered_gone_;
    metrics::Counter violations_;
    metrics::Counter waits_;
};

} // namespace outbox::monitor
