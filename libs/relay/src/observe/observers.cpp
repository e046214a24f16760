#include "observe/observers.hpp"

namespace outbox::relay {

/// Delivery must not suffer from who looks on.
template <class Class, class... Parameter, class... Value>
void Observers::tell(void (Class::*what)(Parameter...), const Value&... happened) noexcept {
    for (const auto& observer : all_) {
        try {
            (observer.get()->*what)(happened...);
        } catch (...) { // it says that it should not
        }
    }
}

void Observers::topic_parked(const delivery::TopicParked& what) {
    tell(&Observer::topic_parked, what);
}
void Observers::topics_asked(std::size_t what) {
    tell(&Observer::topics_asked, what);
}
void Observers::topics_not_asked(std::string_view what) {
    tell(&Observer::topics_not_asked, what);
}
void Observers::topic_well(const delivery::TopicWell& what) {
    tell(&Observer::topic_well, what);
}
void Observers::topic_unneeded(std::string_view what) {
    tell(&Observer::topic_unneeded, what);
}
void Observers::topic_created(const delivery::TopicCreated& what) {
    tell(&Observer::topic_created, what);
}
void Observers::topic_id_told(const delivery::TopicIdTold& what) {
    tell(&Observer::topic_id_told, what);
}
void Observers::topic_ids_unknown(std::string_view what) {
    tell(&Observer::topic_ids_unknown, what);
}
void Observers::claimed(const happened::Claimed& what) {
    tell(&Observer::claimed, what);
}
void Observers::lag(const happened::Lag& what) {
    tell(&Observer::lag, what);
}
void Observers::skipped(const happened::Skipped& what) {
    tell(&Observer::skipped, what);
}
void Observers::built(const happened::Built& what) {
    tell(&Observer::built, what);
}
void Observers::transaction_ended(const happened::Transaction& what) {
    tell(&Observer::transaction_ended, what);
}
void Observers::sent(const happened::Sent& what) {
    tell(&Observer::sent, what);
}
void Observers::marked(const happened::Marked& what) {
    tell(&Observer::marked, what);
}
void Observers::control_lag(const happened::ControlLag& what) {
    tell(&Observer::control_lag, what);
}
void Observers::retried(const happened::Attempt& what) {
    tell(&Observer::retried, what);
}
void Observers::failed(const happened::Attempt& what) {
    tell(&Observer::failed, what);
}
void Observers::failed_with_topic(const happened::FailedWithTopic& what) {
    tell(&Observer::failed_with_topic, what);
}
void Observers::dead_lettered(const happened::DeadLettered& what) {
    tell(&Observer::dead_lettered, what);
}
void Observers::held_up(const happened::HeldUp& what) {
    tell(&Observer::held_up, what);
}
void Observers::outlived(const happened::Outlived& what) {
    tell(&Observer::outlived, what);
}
void Observers::rows_changed(const happened::PipelineCount& what) {
    tell(&Observer::rows_changed, what);
}
void Observers::strays_freed(const happened::PipelineCount& what) {
    tell(&Observer::strays_freed, what);
}
void Observers::strays_stuck(const happened::PipelineReason& what) {
    tell(&Observer::strays_stuck, what);
}
void Observers::state_changed(const happened::StateChanged& what) {
    tell(&Observer::state_changed, what);
}
void Observers::lease_expired(const happened::LeaseExpired& what) {
    tell(&Observer::lease_expired, what);
}
void Observers::took_over(const happened::TookOver& what) {
    tell(&Observer::took_over, what);
}
void Observers::gone(const happened::Gone& what) {
    tell(&Observer::gone, what);
}
void Observers::recovered(const happened::Recovered& what) {
    tell(&Observer::recovered, what);
}
void Observers::recovers(const happened::Recovers& what) {
    tell(&Observer::recovers, what);
}
void Observers::pipeline_recovers(const happened::PipelineRecovers& what) {
    tell(&Observer::pipeline_recovers, what);
}
void Observers::breaker(const happened::Breaker& what) {
    tell(&Observer::breaker, what);
}
void Observers::paused(int what) {
    tell(&Observer::paused, what);
}
void Observers::resumed(int what) {
    tell(&Observer::resumed, what);
}
void Observers::released(int what) {
    tell(&Observer::released, what);
}
void Observers::lost(const happened::Lost& what) {
    tell(&Observer::lost, what);
}
void Observers::stopped(const happened::Stopped& what) {
    tell(&Observer::stopped, what);
}
void Observers::stop_not_written(const happened::Reason& what) {
    tell(&Observer::stop_not_written, what);
}
void Observers::tried_again(int what) {
    tell(&Observer::tried_again, what);
}
void Observers::marker_waits(const happened::LostMarker& what) {
    tell(&Observer::marker_waits, what);
}
void Observers::marker_written(const happened::LostMarker& what) {
    tell(&Observer::marker_written, what);
}
void Observers::throttled(const happened::Throttled& what) {
    tell(&Observer::throttled, what);
}
void Observers::batch_too_large(const happened::TooMuch& what) {
    tell(&Observer::batch_too_large, what);
}
void Observers::claim_too_large(const happened::TooMuch& what) {
    tell(&Observer::claim_too_large, what);
}
void Observers::topics_unknown(const happened::PipelineReason& what) {
    tell(&Observer::topics_unknown, what);
}
void Observers::moved(const happened::Moved& what) {
    tell(&Observer::moved, what);
}
void Observers::started(const happened::Started& what) {
    tell(&Observer::started, what);
}
void Observers::waits(const happened::Waits& what) {
    tell(&Observer::waits, what);
}
void Observers::joined() {
    tell(&Observer::joined);
}
void Observers::pauses_changed(const happened::PausesChanged& what) {
    tell(&Observer::pauses_changed, what);
}
void Observers::resharded(const happened::Resharded& what) {
    tell(&Observer::resharded, what);
}
void Observers::shard_made(int what) {
    tell(&Observer::shard_made, what);
}
void Observers::order_violation(const happened::OrderViolation& what) {
    tell(&Observer::order_violation, what);
}
void Observers::order_unchecked(std::string_view what) {
    tell(&Observer::order_unchecked, what);
}
void Observers::found(const happened::Finding& what) {
    tell(&Observer::found, what);
}
void Observers::mended(std::string_view what) {
    tell(&Observer::mended, what);
}
void Observers::lossy(happened::LossyServer what) {
    tell(&Observer::lossy, what);
}
void Observers::lossy_unchecked(std::string_view what) {
    tell(&Observer::lossy_unchecked, what);
}
void Observers::drains(const happened::Drains& what) {
    tell(&Observer::drains, what);
}
void Observers::beat_missed(std::string_view what) {
    tell(&Observer::beat_missed, what);
}
void Observers::not_drained(const happened::Count& what) {
    tell(&Observer::not_drained, what);
}
void Observers::not_left(std::string_view what) {
    tell(&Observer::not_left, what);
}
void Observers::drained(const happened::Drained& what) {
    tell(&Observer::drained, what);
}
void Observers::gave_up(std::string_view what) {
    tell(&Observer::gave_up, what);
}

} // namespace outbox::relay
