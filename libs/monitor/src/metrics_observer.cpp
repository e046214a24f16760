#include "metrics_observer.hpp"

#include <outbox/metrics/all_metrics.hpp>

namespace outbox::monitor {
namespace {

using relay::happened::Cause;
using relay::happened::Outcome;
using Seconds = std::chrono::duration<double>;

double seconds(std::chrono::steady_clock::duration span) {
    return Seconds(span).count();
}

metrics::Counter outcome(metrics::Registry& registry, const char* name) {
    return registry.counter(metrics::events_total, {{"outcome", name}});
}

metrics::Histogram transaction(metrics::Registry& registry, Outcome outcome) {
    return registry.histogram(metrics::kafka_transaction_duration_seconds,
                              {{"outcome", std::string(name_of(outcome))}});
}

metrics::Counter recovered_as(metrics::Registry& registry, const char* name) {
    return registry.counter(metrics::recovered_events_total, {{"as", name}});
}

} // namespace

MetricsObserver::MetricsObserver(metrics::Registry& registry, RelayView& view)
    : view_(view),
      sent_(outcome(registry, "sent")),
      failed_(outcome(registry, "failed")),
      skipped_(outcome(registry, "skipped")),
      retried_(outcome(registry, "retried")),
      dead_lettered_(outcome(registry, "dead_lettered")),
      latency_(registry.histogram(metrics::delivery_latency_seconds)),
      claim_(registry.histogram(metrics::claim_duration_seconds)),
      mark_(registry.histogram(metrics::mark_duration_seconds)),
      transaction_{transaction(registry, Outcome::committed), transaction(registry, Outcome::aborted),
                   transaction(registry, Outcome::unknown)},
      transaction_events_(registry.histogram(metrics::transaction_events)),
      takeovers_(registry.counter(metrics::takeovers_total)),
      leases_(registry.counter(metrics::lease_expired_total)),
      recoveries_(registry.counter(metrics::recoveries_total)),
      recovered_sent_(recovered_as(registry, "sent")),
      recovered_reset_(recovered_as(registry, "reset")),
      recovered_gone_(recovered_as(registry, "gone")),
      violations_(registry.counter(metrics::order_violations_total)),
      waits_(registry.counter(metrics::server_waits_total)) {}

void MetricsObserver::claimed(const relay::happened::Claimed& claimed) {
    claim_.observe(seconds(claimed.took + claimed.commit));
}

void MetricsObserver::skipped(const relay::happened::Skipped& skipped) {
    skipped_.add(static_cast<double>(skipped.events));
}

void MetricsObserver::transaction_ended(const relay::happened::Transaction& ended) {
    transaction_.at(static_cast<std::size_t>(ended.outcome)).observe(seconds(ended.took));
    if (ended.outcome == Outcome::committed && ended.events > 0) {
        transaction_events_.observe(static_cast<double>(ended.events));
    }
}

/// A dead letter is a copy of an event that is FAILED, and so has no delivery.
void MetricsObserver::sent(const relay::happened::Sent& sent) {
    metrics::Histogram::Several latencies(latency_);
    std::size_t events = 0;
    for (std::size_t i = 0; i < sent.events.size(); ++i) {
        const relay::happened::Event event = sent.events[i];
        if (event.dead_letter) {
            continue;
        }
        ++events;
        if (event.created_at) {
            latencies.observe(Seconds(sent.at - *event.created_at).count());
        }
    }
    latencies.flush();
    sent_.add(static_cast<double>(events));
}

void MetricsObserver::marked(const relay::happened::Marked& marked) {
    mark_.observe(seconds(marked.took));
}

void MetricsObserver::retried(const relay::happened::Attempt& /*attempt*/) {
    retried_.add();
}

void MetricsObserver::failed(const relay::happened::Attempt& /*attempt*/) {
    failed_.add();
}

void MetricsObserver::failed_with_topic(const relay::happened::FailedWithTopic& failed) {
    failed_.add(static_cast<double>(failed.events));
}

void MetricsObserver::dead_lettered(const relay::happened::DeadLettered& dead) {
    dead_lettered_.add(static_cast<double>(dead.events));
}

void MetricsObserver::lease_expired(const relay::happened::LeaseExpired& /*expired*/) {
    leases_.add();
}

void MetricsObserver::took_over(const relay::happened::TookOver& /*taken*/) {
    takeovers_.add();
}

void MetricsObserver::gone(const relay::happened::Gone& gone) {
    recovered_gone_.add(static_cast<double>(gone.events));
    failed_.add(static_cast<double>(gone.events));
}

void MetricsObserver::recovered(const relay::happened::Recovered& recovered) {
    recovered_sent_.add(static_cast<double>(recovered.settled));
    recovered_reset_.add(static_cast<double>(recovered.reset));
}

void MetricsObserver::recovers(const relay::happened::Recovers& recovers) {
    if (recovers.cause != Cause::mended) {
        recoveries_.add();
    }
}

void MetricsObserver::pipeline_recovers(const relay::happened::PipelineRecovers& recovers) {
    if (recovers.cause != Cause::mended) {
        recoveries_.add();
    }
}

void MetricsObserver::waits(const relay::happened::Waits& /*waits*/) {
    waits_.add();
}

void MetricsObserver::order_violation(const relay::happened::OrderViolation& /*violation*/) {
    violations_.add();
}

} // namespace outbox::monitor
