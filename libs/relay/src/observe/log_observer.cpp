#include "observe/log_observer.hpp"

#include <outbox/telemetry/log.hpp>

namespace outbox::relay {

using happened::Cause;

void LogObserver::transaction_ended(const happened::Transaction& ended) {
    if (ended.outcome == happened::Outcome::committed) {
        const std::lock_guard lock(mutex_);
        of_pipelines_[ended.pipeline].recovers.over();
    }
}

namespace {

using Say = void (*)(std::string_view, log::Fields);

void say(Say level, const char* words, const happened::Attempt& attempt) {
    level(words, {{"shard", attempt.shard},
                  {"event", attempt.id.to_string()},
                  {"seq", attempt.seq},
                  {"attempt", attempt.attempt},
                  {"error", attempt.error},
                  {"dead_letter_topic", attempt.dead_letter_topic}});
}

} // namespace

void LogObserver::retried(const happened::Attempt& attempt) {
    say(log::warn, "event could not be sent; it is tried again", attempt);
}

void LogObserver::failed(const happened::Attempt& attempt) {
    say(log::error,
        attempt.key_waits ? "event given up: it is FAILED and its key waits for an operator"
                          : "event given up: it is FAILED and its key goes on",
        attempt);
}

void LogObserver::failed_with_topic(const happened::FailedWithTopic& failed) {
    log::error("events given up with their topic: they are FAILED",
               {{"shard", failed.shard},
                {"events", failed.events},
                {"last", failed.last.to_string()},
                {"error", failed.error},
                {"dead_letter_topic", failed.dead_letter_topic}});
}

void LogObserver::held_up(const happened::HeldUp& held) {
    if (!held.repeated) {
        log::error("an event waits: it goes on by itself once this is mended",
                   {{"pipeline", held.pipeline}, {"reason", held.reason}});
    }
}

void LogObserver::outlived(const happened::Outlived& outlived) {
    log::warn("events are older than their topic keeps records: their messages carry the time of sending",
              {{"topic", outlived.topic},
               {"events", outlived.events},
               {"events_since_start", outlived.events_since_start}});
}

void LogObserver::rows_changed(const happened::PipelineCount& rows) {
    log::error("events that were sent are not unsent rows any more: somebody changed them",
               {{"pipeline", rows.pipeline}, {"rows", rows.count}});
}

void LogObserver::strays_freed(const happened::PipelineCount& events) {
    log::warn("events were PROCESSING or held aside by somebody else's hand: they are sent like others",
              {{"pipeline", events.pipeline}, {"events", events.count}});
}

void LogObserver::strays_stuck(const happened::PipelineReason& stuck) {
    log::warn("events that are PROCESSING by somebody else's hand cannot be changed",
              {{"pipeline", stuck.pipeline}, {"reason", stuck.reason}});
}

void LogObserver::gone(const happened::Gone& gone) {
    log::error("events are gone with their topic: they are FAILED",
               {{"shard", gone.shard}, {"events", gone.events}, {"error", gone.why}});
}

void LogObserver::recovered(const happened::Recovered& recovered) {
    {
        const std::lock_guard lock(mutex_);
        said_[recovered.shard].recovers.over();
    }
    log::info("shard taken", {{"shard", recovered.shard},
                              {"epoch", recovered.epoch},
                              {"batch", recovered.batch},
                              {"settled_sent", recovered.settled},
                              {"reset", recovered.reset}});
    if (recovered.emptied) {
        log::error("outbox_events was emptied while its events were at the broker: those are sent and have "
                   "no rows any "
                   "more; other events have their numbers, and are sent as what they are",
                   {{"shard", recovered.shard}});
    }
    if (recovered.seq_moved) {
        log::warn("events that Kafka has were lost by the database; its numbering was moved past them",
                  {{"shard", recovered.shard}});
    }
}

bool LogObserver::is_news(std::map<int, Said>& said, int number, std::string_view reason) {
    const std::lock_guard lock(mutex_);
    return said[number].recovers.worth_saying(std::string(reason), now_());
}

namespace {

/// "shard recovers", and the like, of what did not end well.
void say(const std::string& who, Cause cause, log::Fields fields) {
    if (cause == Cause::unexpected) {
        log::error(who + " recovers from an unexpected error", fields);
    } else if (cause == Cause::asks_for_a_hand) {
        log::error(who + " waits: it goes on by itself once this is mended", fields);
    } else {
        (cause == Cause::refused ? log::error : log::warn)(who + " recovers", fields);
    }
}

} // namespace

void LogObserver::recovers(const happened::Recovers& recovers) {
    if (recovers.cause == Cause::mended) {
        log::info("shard recovers", {{"shard", recovers.shard}, {"reason", recovers.reason}});
    } else if (recovers.cause == Cause::unexpected || is_news(said_, recovers.shard, recovers.reason)) {
        say("shard", recovers.cause,
            {{"shard", recovers.shard}, {"reason", recovers.reason}, {"failures", recovers.failures}});
    }
}

void LogObserver::pipeline_recovers(const happened::PipelineRecovers& recovers) {
    if (recovers.cause == Cause::mended) {
        log::info(
            "pipeline recovers",
            {{"pipeline", recovers.pipeline}, {"shards", recovers.shards}, {"reason", recovers.reason}});
    } else if (recovers.cause == Cause::unexpected ||
               is_news(of_pipelines_, recovers.pipeline, recovers.reason)) {
        say("pipeline", recovers.cause,
            {{"pipeline", recovers.pipeline},
             {"shards", recovers.shards},
             {"reason", recovers.reason},
             {"failures", recovers.failures}});
    }
}

void LogObserver::paused(int shard) {
    log::info("shard paused", {{"shard", shard}});
}

void LogObserver::resumed(int shard) {
    log::info("shard resumed", {{"shard", shard}});
}

/// Another loop may take it later.
void LogObserver::forget(int shard) {
    const std::lock_guard lock(mutex_);
    said_.erase(shard);
}

void LogObserver::released(int shard) {
    forget(shard);
    log::info("shard released", {{"shard", shard}});
}

void LogObserver::lost(const happened::Lost& lost) {
    forget(lost.shard);
    log::info(lost.stood_still ? "shard left to others" : "shard lost",
              {{"shard", lost.shard}, {"reason", lost.reason}});
}

void LogObserver::stopped(const happened::Stopped& stopped) {
    log::error("shard stopped: an operator must act, then type outbox-relay resume --shard N",
               {{"shard", stopped.shard}, {"reason", stopped.reason}});
}

void LogObserver::stop_not_written(const happened::Reason& why) {
    log::error("the reason could not be written to outbox_shards",
               {{"shard", why.shard}, {"error", why.reason}});
}

void LogObserver::tried_again(int shard) {
    log::info("shard is tried again", {{"shard", shard}});
}

void LogObserver::marker_waits(const happened::LostMarker& marker) {
    log::warn("topic parked", {{"ids", marker.ids},
                               {"topic", marker.topic},
                               {"reason", "a partition that may lack a marker has no leader to ask"}});
}

void LogObserver::marker_written(const happened::LostMarker& marker) {
    log::warn("a broker ended a transaction without its marker in every partition; the marker is written now",
              {{"ids", marker.ids},
               {"topic", marker.topic},
               {"partition", marker.partition},
               {"offset", marker.offset},
               {"outcome", marker.committed ? "commit" : "abort"}});
}

/// Quotas hold a client back on every batch: that is said once a minute.
void LogObserver::throttled(const happened::Throttled& throttled) {
    constexpr std::chrono::minutes silence{1};
    {
        const std::lock_guard lock(mutex_);
        auto& next = of_pipelines_[throttled.pipeline].next_throttled;
        const auto now = now_();
        if (now < next) {
            return;
        }
        next = now + silence;
    }
    log::warn("Kafka holds this relay back by a quota", {{"pipeline", throttled.pipeline},
                                                         {"throttle_ms", throttled.throttle.count()},
                                                         {"events_a_batch", throttled.events_a_batch}});
}

void LogObserver::batch_too_large(const happened::TooMuch& batch) {
    log::warn("a batch took too much; the next one is smaller",
              {{"pipeline", batch.pipeline}, {"events", batch.events}, {"next", batch.next}});
}

void LogObserver::claim_too_large(const happened::TooMuch& claim) {
    log::warn("a claim took too much; the next one asks for fewer events at once",
              {{"pipeline", claim.pipeline}, {"next", claim.next}, {"reason", claim.reason}});
}

void LogObserver::topics_unknown(const happened::PipelineReason& why) {
    log::debug("topics could not be asked about", {{"pipeline", why.pipeline}, {"reason", why.reason}});
}

} // namespace outbox::relay
