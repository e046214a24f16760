#pragma once

#include "shard/repetition.hpp"

#include <outbox/delivery/topic_log.hpp>
#include <outbox/relay/observer.hpp>

#include <functional>
#include <map>
#include <mutex>

namespace outbox::relay {

/// Writes into the log what a person should know of a relay; that a batch goes its way is not part of that.
/// What lasts is said when it begins, and then ever more seldom. Thread-safe.
class LogObserver final : public Observer {
public:
    using Time = SteadyClock::time_point;

    /// @param says_why_it_ends  false: the program says it itself
    explicit LogObserver(bool says_why_it_ends, std::function<Time()> now = SteadyClock::now)
        : says_why_it_ends_(says_why_it_ends),
          now_(std::move(now)) {}

    void topic_parked(const delivery::TopicParked& parked) override { topics_.topic_parked(parked); }
    void topics_not_asked(std::string_view reason) override { topics_.topics_not_asked(reason); }
    void topic_well(const delivery::TopicWell& well) override { topics_.topic_well(well); }
    void topic_unneeded(std::string_view topic) override { topics_.topic_unneeded(topic); }
    void topic_created(const delivery::TopicCreated& created) override { topics_.topic_created(created); }
    void topic_id_told(const delivery::TopicIdTold& id) override { topics_.topic_id_told(id); }
    void topic_ids_unknown(std::string_view reason) override { topics_.topic_ids_unknown(reason); }

    void transaction_ended(const happened::Transaction& ended) override;
    void retried(const happened::Attempt& attempt) override;
    void failed(const happened::Attempt& attempt) override;
    void failed_with_topic(const happened::FailedWithTopic& failed) override;
    void held_up(const happened::HeldUp& held) override;
    void outlived(const happened::Outlived& outlived) override;
    void rows_changed(const happened::PipelineCount& rows) override;
    void strays_freed(const happened::PipelineCount& events) override;
    void strays_stuck(const happened::PipelineReason& stuck) override;

    void gone(const happened::Gone& gone) override;
    void recovered(const happened::Recovered& recovered) override;
    void recovers(const happened::Recovers& recovers) override;
    void pipeline_recovers(const happened::PipelineRecovers& recovers) override;
    void paused(int shard) override;
    void resumed(int shard) override;
    void released(int shard) override;
    void lost(const happened::Lost& lost) override;
    void stopped(const happened::Stopped& stopped) override;
    void stop_not_written(const happened::Reason& why) override;
    void tried_again(int shard) override;
    void marker_waits(const happened::LostMarker& marker) override;
    void marker_written(const happened::LostMarker& marker) override;

    void throttled(const happened::Throttled& throttled) override;
    void batch_too_large(const happened::TooMuch& batch) override;
    void claim_too_large(const happened::TooMuch& claim) override;
    void topics_unknown(const happened::PipelineReason& why) override;

    void started(const happened::Started& started) override;
    void waits(const happened::Waits& waits) override;
    void joined() override;
    void pauses_changed(const happened::PausesChanged& paused) override;
    void resharded(const happened::Resharded& shards) override;
    void shard_made(int shard) override;
    void order_violation(const happened::OrderViolation& violation) override;
    void order_unchecked(std::string_view reason) override;
    void found(const happened::Finding& finding) override;
    void mended(std::string_view finding) override;
    void lossy(happened::LossyServer server) override;
    void lossy_unchecked(std::string_view reason) override;
    void drains(const happened::Drains& drains) override;
    void beat_missed(std::string_view reason) override;
    void not_drained(const happened::Count& events) override;
    void not_left(std::string_view reason) override;
    void drained(const happened::Drained& drained) override;
    void gave_up(std::string_view reason) override;

private:
    /// What was said of one shard.
    struct Said {
        Repetition recovers;
        Time next_throttled{};
    };
    bool is_news(std::map<int, Said>& said, int number, std::string_view reason);
    void forget(int shard);

    bool says_why_it_ends_;
    std::function<Time()> now_;
    delivery::TopicLog topics_;
    std::mutex mutex_;                 ///< of what was said; nothing is taken while it is held
    std::map<int, Said> said_;         ///< of shards
    std::map<int, Said> of_pipelines_; ///< the same
    Repetition waits_;
};

} // namespace outbox::relay
