#pragma once

#include <outbox/relay/observer.hpp>

#include <memory>
#include <utility>
#include <vector>

namespace outbox::relay {

/// Several observers as one: each hears everything, one after the other, and what one throws is dropped.
/// Thread-safe.
class Observers final : public Observer {
public:
    /// @pre none is null
    explicit Observers(std::vector<std::shared_ptr<Observer>> all) : all_(std::move(all)) {}

    void topic_parked(const delivery::TopicParked& what) override;
    void topics_asked(std::size_t what) override;
    void topics_not_asked(std::string_view what) override;
    void topic_well(const delivery::TopicWell& what) override;
    void topic_unneeded(std::string_view what) override;
    void topic_created(const delivery::TopicCreated& what) override;
    void topic_id_told(const delivery::TopicIdTold& what) override;
    void topic_ids_unknown(std::string_view what) override;
    void claimed(const happened::Claimed& what) override;
    void lag(const happened::Lag& what) override;
    void skipped(const happened::Skipped& what) override;
    void built(const happened::Built& what) override;
    void transaction_ended(const happened::Transaction& what) override;
    void sent(const happened::Sent& what) override;
    void marked(const happened::Marked& what) override;
    void control_lag(const happened::ControlLag& what) override;
    void retried(const happened::Attempt& what) override;
    void failed(const happened::Attempt& what) override;
    void failed_with_topic(const happened::FailedWithTopic& what) override;
    void dead_lettered(const happened::DeadLettered& what) override;
    void held_up(const happened::HeldUp& what) override;
    void outlived(const happened::Outlived& what) override;
    void rows_changed(const happened::PipelineCount& what) override;
    void strays_freed(const happened::PipelineCount& what) override;
    void strays_stuck(const happened::PipelineReason& what) override;
    void state_changed(const happened::StateChanged& what) override;
    void lease_expired(const happened::LeaseExpired& what) override;
    void took_over(const happened::TookOver& what) override;
    void gone(const happened::Gone& what) override;
    void recovered(const happened::Recovered& what) override;
    void recovers(const happened::Recovers& what) override;
    void pipeline_recovers(const happened::PipelineRecovers& what) override;
    void breaker(const happened::Breaker& what) override;
    void paused(int what) override;
    void resumed(int what) override;
    void released(int what) override;
    void lost(const happened::Lost& what) override;
    void stopped(const happened::Stopped& what) override;
    void stop_not_written(const happened::Reason& what) override;
    void tried_again(int what) override;
    void marker_waits(const happened::LostMarker& what) override;
    void marker_written(const happened::LostMarker& what) override;
    void throttled(const happened::Throttled& what) override;
    void batch_too_large(const happened::TooMuch& what) override;
    void claim_too_large(const happened::TooMuch& what) override;
    void topics_unknown(const happened::PipelineReason& what) override;
    void moved(const happened::Moved& what) override;
    void started(const happened::Started& what) override;
    void waits(const happened::Waits& what) override;
    void joined() override;
    void pauses_changed(const happened::PausesChanged& what) override;
    void resharded(const happened::Resharded& what) override;
    void shard_made(int what) override;
    void order_violation(const happened::OrderViolation& what) override;
    void order_unchecked(std::string_view what) override;
    void found(const happened::Finding& what) override;
    void mended(std::string_view what) override;
    void lossy(happened::LossyServer what) override;
    void lossy_unchecked(std::string_view what) override;
    void drains(const happened::Drains& what) override;
    void beat_missed(std::string_view what) override;
    void not_drained(const happened::Count& what) override;
    void not_left(std::string_view what) override;
    void drained(const happened::Drained& what) override;
    void gave_up(std::string_view what) override;

private:
    template <class Class, class... Parameter, class... Value>
    void tell(void (Class::*what)(Parameter...), const Value&... happened) noexcept;

    std::vector<std::shared_ptr<Observer>> all_;
};

} // namespace outbox::relay
