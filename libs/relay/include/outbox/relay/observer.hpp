#pragma once

#include <outbox/delivery/topic_observer.hpp>
#include <outbox/relay/happenings.hpp>

namespace outbox::relay {

/// Is told what happens in a relay: for metrics, traces, alarms and tests. The log is one. Every function
/// does nothing until it is overridden, so a derived class names what it is for, and new functions break
/// nobody.
///
/// Threads: any of the relay's, several at once; what is told of one shard comes in order. A shard's delivery
/// waits for the call, so it must not block, wait for a server or call a function of the Relay but stop().
/// It should not throw; what it throws is dropped.
/// Lifetime: a Relay keeps its observers (Options::observers) until it is destroyed. What a call is given
/// lives until it returns.
/// Cost: one call for a batch, never one for an event, unless the event itself failed.
class Observer : public delivery::TopicObserver {
public:
    ///@{
    /// The way of a batch.

    /// New events were taken out of the table.
    virtual void claimed(const happened::Claimed&) {}
    /// How far a pipeline is behind, at a look or a claim.
    virtual void lag(const happened::Lag&) {}
    /// Events are SKIPPED, because the service does not want them to be sent.
    virtual void skipped(const happened::Skipped&) {}
    /// Claimed events became a batch.
    virtual void built(const happened::Built&) {}
    /// A transaction of Kafka's has ended, well or not.
    virtual void transaction_ended(const happened::Transaction&) {}
    /// Kafka has the events of a batch.
    virtual void sent(const happened::Sent&) {}
    /// They are SENT in PostgreSQL.
    virtual void marked(const happened::Marked&) {}
    /// How much of the control topic a recovery would read.
    virtual void control_lag(const happened::ControlLag&) {}
    ///@}

    ///@{
    /// Events that cannot be sent.

    /// It is tried again.
    virtual void retried(const happened::Attempt&) {}
    /// It is FAILED.
    virtual void failed(const happened::Attempt&) {}
    /// They are FAILED, with their topic.
    virtual void failed_with_topic(const happened::FailedWithTopic&) {}
    /// Their copies are in the dead-letter topic.
    virtual void dead_lettered(const happened::DeadLettered&) {}
    /// It waits until somebody lets the database change it.
    virtual void held_up(const happened::HeldUp&) {}
    /// They are older than their topic keeps records.
    virtual void outlived(const happened::Outlived&) {}
    /// Rows that were sent are not unsent rows any more: somebody changed them.
    virtual void rows_changed(const happened::PipelineCount&) {}
    /// Rows that somebody had set PROCESSING, or held aside, are sent like others.
    virtual void strays_freed(const happened::PipelineCount&) {}
    /// They cannot be changed.
    virtual void strays_stuck(const happened::PipelineReason&) {}
    ///@}

    ///@{
    /// The life of a shard in this relay.

    /// Its loop does something else.
    virtual void state_changed(const happened::StateChanged&) {}
    /// Its owner is dead; this relay tries to take it.
    virtual void lease_expired(const happened::LeaseExpired&) {}
    /// It is this relay's, and recovers.
    virtual void took_over(const happened::TookOver&) {}
    /// Records are gone with their topic.
    virtual void gone(const happened::Gone&) {}
    /// It is known what was sent; the shard works from now on.
    virtual void recovered(const happened::Recovered&) {}
    /// It is in doubt what was sent: the shard recovers, now or after a while.
    virtual void recovers(const happened::Recovers&) {}
    /// It is in doubt what was sent by a pipeline: all its shards recover.
    virtual void pipeline_recovers(const happened::PipelineRecovers&) {}
    /// It waits between recoveries that fail, or need not any more.
    virtual void breaker(const happened::Breaker&) {}
    /// It is paused, and nothing of it is in flight.
    virtual void paused(int /*shard*/) {}
    /// It is not paused any more.
    virtual void resumed(int /*shard*/) {}
    /// It was given back.
    virtual void released(int /*shard*/) {}
    /// It is another relay's.
    virtual void lost(const happened::Lost&) {}
    /// It stands still until an operator has acted.
    virtual void stopped(const happened::Stopped&) {}
    /// Why it stands still could not be written to outbox_shards; it is tried again.
    virtual void stop_not_written(const happened::Reason&) {}
    /// A shard that stood still is tried again, since an operator says so.
    virtual void tried_again(int /*shard*/) {}
    /// A topic waits for a marker that was lost, because no leader can be asked.
    virtual void marker_waits(const happened::LostMarker&) {}
    /// A marker that was lost is written now.
    virtual void marker_written(const happened::LostMarker&) {}
    ///@}

    ///@{
    /// What holds a shard back.

    /// A quota of Kafka's holds it back.
    virtual void throttled(const happened::Throttled&) {}
    /// A batch took too much; the next one is smaller.
    virtual void batch_too_large(const happened::TooMuch&) {}
    /// A claim took too much; the next one asks for fewer events.
    virtual void claim_too_large(const happened::TooMuch&) {}
    /// Brokers could not be asked about the topics of a batch that failed.
    virtual void topics_unknown(const happened::PipelineReason&) {}
    ///@}

    ///@{
    /// The relay as a whole.

    /// A loop is not stuck.
    virtual void moved(const happened::Moved&) {}
    /// It begins to take shards.
    virtual void started(const happened::Started&) {}
    /// It waits for PostgreSQL or Kafka, and tries again.
    virtual void waits(const happened::Waits&) {}
    /// It is registered among the relays, in a new session with PostgreSQL.
    virtual void joined() {}
    /// An operator has paused or resumed something.
    virtual void pauses_changed(const happened::PausesChanged&) {}
    /// The outbox has another number of shards.
    virtual void resharded(const happened::Resharded&) {}
    /// Somebody deleted a shard's row, and it was made anew.
    virtual void shard_made(int /*shard*/) {}
    /// The order of a key's events may be broken.
    virtual void order_violation(const happened::OrderViolation&) {}
    /// It was not looked whether numbers are given out again, for this reason.
    virtual void order_unchecked(std::string_view) {}
    /// The database is not as it has to be.
    virtual void found(const happened::Finding&) {}
    /// What was found before, as "object: what to type", is mended.
    virtual void mended(std::string_view) {}
    /// A server may lose what it has acknowledged.
    virtual void lossy(happened::LossyServer) {}
    /// Kafka does not tell how it keeps its transactions, for this reason.
    virtual void lossy_unchecked(std::string_view) {}
    /// It ends, and gives its shards back.
    virtual void drains(const happened::Drains&) {}
    /// No heartbeat was possible while draining, for this reason.
    virtual void beat_missed(std::string_view) {}
    /// A shard was not given back in time, with so many events in flight.
    virtual void not_drained(const happened::Count&) {}
    /// The relays' register was not left, for this reason.
    virtual void not_left(std::string_view) {}
    /// It has ended.
    virtual void drained(const happened::Drained&) {}
    /// The relay ends for this reason, which only an operator can mend.
    virtual void gave_up(std::string_view) {}
    ///@}
};

} // namespace outbox::relay
