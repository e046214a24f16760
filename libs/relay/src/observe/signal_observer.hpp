#pragma once

#include <outbox/relay/observer.hpp>

namespace outbox::relay {

/// Lets tests hear what they wait for: each of these is a faults::signal of the function's name. In programs
/// that ship those do nothing. Thread-safe.
class SignalObserver final : public Observer {
public:
    void topic_parked(const delivery::TopicParked& parked) override;
    void topic_well(const delivery::TopicWell& well) override;
    void topic_created(const delivery::TopicCreated& created) override;
    void topic_id_told(const delivery::TopicIdTold& id) override;

    void retried(const happened::Attempt& attempt) override;
    void failed(const happened::Attempt& attempt) override;
    void held_up(const happened::HeldUp& held) override;
    void strays_freed(const happened::Count& events) override;

    void took_over(const happened::TookOver& taken) override;
    void gone(const happened::Gone& gone) override;
    void recovered(const happened::Recovered& recovered) override;
    void recovers(const happened::Recovers& recovers) override;
    void released(int shard) override;
    void lost(const happened::Lost& lost) override;
    void stopped(const happened::Stopped& stopped) override;
    void tried_again(int shard) override;
    void marker_waits(const happened::LostMarker& marker) override;
    void marker_written(const happened::LostMarker& marker) override;

    void started(const happened::Started& started) override;
    void waits(const happened::Waits& waits) override;
    void pauses_changed(const happened::PausesChanged& paused) override;
    void shard_made(int shard) override;
    void order_violation(const happened::OrderViolation& violation) override;
    void found(const happened::Finding& finding) override;
    void drained(const happened::Drained& drained) override;
    void gave_up(std::string_view reason) override;
};

} // namespace outbox::relay
