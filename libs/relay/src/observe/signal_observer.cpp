#include "observe/signal_observer.hpp"

#include <outbox/faults/faults.hpp>

namespace outbox::relay {

using faults::signal;

void SignalObserver::topic_parked(const delivery::TopicParked& parked) {
    signal("topic_parked",
           {{"topic", parked.topic}, {"reason", parked.reason}, {"given_up", parked.given_up}});
}

void SignalObserver::topic_well(const delivery::TopicWell& well) {
    signal("topic_well", {{"topic", well.topic}});
}

void SignalObserver::topic_created(const delivery::TopicCreated& created) {
    signal("topic_created", {{"topic", created.topic}});
}

void SignalObserver::topic_id_told(const delivery::TopicIdTold& id) {
    signal("topic_id_told", {{"topic", id.topic}, {"told", id.told}});
}

void SignalObserver::retried(const happened::Attempt& attempt) {
    signal("retried", {{"shard", attempt.shard}, {"seq", attempt.seq}, {"error", attempt.error}});
}

void SignalObserver::failed(const happened::Attempt& attempt) {
    signal("failed", {{"shard", attempt.shard}, {"seq", attempt.seq}, {"error", attempt.error}});
}

void SignalObserver::held_up(const happened::HeldUp& held) {
    signal("held_up", {{"shard", held.shard}, {"reason", held.reason}});
}

void SignalObserver::strays_freed(const happened::Count& events) {
    signal("strays_freed", {{"shard", events.shard}, {"count", events.count}});
}

void SignalObserver::took_over(const happened::TookOver& taken) {
    signal("took_over", {{"shard", taken.shard}, {"epoch", taken.epoch}});
}

void SignalObserver::gone(const happened::Gone& gone) {
    signal("gone", {{"shard", gone.shard}, {"events", gone.events}, {"why", gone.why}});
}

void SignalObserver::recovered(const happened::Recovered& recovered) {
    signal("recovered", {{"shard", recovered.shard},
                         {"epoch", recovered.epoch},
                         {"settled", recovered.settled},
                         {"reset", recovered.reset},
                         {"emptied", recovered.emptied}});
}

void SignalObserver::recovers(const happened::Recovers& recovers) {
    signal("recovers", {{"shard", recovers.shard}, {"reason", recovers.reason}});
}

void SignalObserver::released(int shard) {
    signal("released", {{"shard", shard}});
}

void SignalObserver::lost(const happened::Lost& lost) {
    signal("lost", {{"shard", lost.shard}, {"reason", lost.reason}});
}

void SignalObserver::stopped(const happened::Stopped& stopped) {
    signal("stopped", {{"shard", stopped.shard}, {"reason", stopped.reason}});
}

void SignalObserver::tried_again(int shard) {
    signal("tried_again", {{"shard", shard}});
}

/// The topic waits, as one does that takes nothing.
void SignalObserver::marker_waits(const happened::LostMarker& marker) {
    signal("topic_parked", {{"topic", marker.topic}, {"reason", "a marker was lost"}});
}

void SignalObserver::marker_written(const happened::LostMarker& marker) {
    signal("marker_written", {{"shard", marker.shard}, {"topic", marker.topic}});
}

void SignalObserver::started(const happened::Started& started) {
    signal("started", {{"relay", started.relay}});
}

void SignalObserver::waits(const happened::Waits& waits) {
    signal("waits", {{"reason", waits.reason}});
}

void SignalObserver::pauses_changed(const happened::PausesChanged& paused) {
    signal("pauses_changed", {{"shards", paused.shards}, {"topics", paused.topics}});
}

void SignalObserver::shard_made(int shard) {
    signal("shard_made", {{"shard", shard}});
}

void SignalObserver::order_violation(const happened::OrderViolation& violation) {
    signal("order_violation", {{"seq", violation.seq}});
}

void SignalObserver::found(const happened::Finding& finding) {
    signal("found", {{"object", finding.object}, {"what", finding.what}, {"mend", finding.mend}});
}

void SignalObserver::drained(const happened::Drained& drained) {
    signal("drained", {{"in_flight", drained.in_flight}});
}

void SignalObserver::gave_up(std::string_view reason) {
    signal("gave_up", {{"reason", reason}});
}

} // namespace outbox::relay
