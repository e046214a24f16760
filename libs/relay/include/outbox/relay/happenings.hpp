#pragma once

#include <outbox/core/uuid.hpp>
#include <outbox/relay/shard_state.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace outbox::delivery {
struct Batch;
} // namespace outbox::delivery

/// What happens in a relay, one struct each. Views in them live during the call that hands them over. Texts
/// are reasons and names, never payloads or secrets.
namespace outbox::relay::happened {

/// How long something took, by the steady clock.
using Span = std::chrono::steady_clock::duration;
/// A moment, by the system's clock.
using Moment = std::chrono::system_clock::time_point;

/// One event of a batch, as its consumers get it.
struct Event {
    Uuid id = {};                     ///< the event's
    std::int64_t seq = 0;             ///< the event's
    std::string_view topic = {};      ///< its record's
    std::int32_t partition = 0;       ///< its record's
    std::string_view key = {};        ///< its record's
    std::string_view headers = {};    ///< of its row: a JSON object with `traceparent` and the like, or empty
    std::optional<Moment> created_at; ///< by PostgreSQL's clock; nullopt: nobody knows
    int attempt = 1;                  ///< 1: it was never refused before
    bool dead_letter = false;         ///< it is FAILED, and this is the copy in the dead-letter topic
};

/// The events of one batch, looked at where they lie: nothing is copied unless somebody asks.
class Events {
public:
    /// @param batch  outlives it
    explicit Events(const delivery::Batch& batch) : batch_(batch) {}
    /// How many there are; the manifest does not count.
    [[nodiscard]] std::size_t size() const;
    /// The one at this place, in the order in which they are sent. @pre index < size()
    [[nodiscard]] Event operator[](std::size_t index) const;

private:
    const delivery::Batch& batch_;
};

///@{
/// Batches of a pipeline, in the order of their ways. A pipeline serves some shards of this relay: its number
/// says which one of the relay's it is.

/// New events were taken out of the table, in a transaction of PostgreSQL's that is committed. There may be
/// none.
struct Claimed {
    int pipeline = 0;       ///< its number
    std::size_t events = 0; ///< how many
    std::size_t bytes = 0;  ///< that they take in memory
    Span took{};            ///< the statements of the claim
    Span commit{};          ///< the commit, which marked rows share
};

/// How far a pipeline is behind: the oldest event of the newest claim had waited for so long. Zero when a
/// look found nothing to claim.
struct Lag {
    int pipeline = 0;                    ///< its number
    std::chrono::milliseconds oldest{0}; ///< by the clocks of PostgreSQL and this machine
};

/// Claimed events became a batch.
struct Built {
    int pipeline = 0;       ///< its number
    std::size_t events = 0; ///< how many
    Span took{};            ///< how long that took
};

/// Claimed events that the service's on_before_publish does not want to be sent are SKIPPED.
struct Skipped {
    int pipeline = 0;       ///< its number
    std::size_t events = 0; ///< how many
};

/// How a transaction of Kafka's ended, as far as this relay knows.
enum class Outcome {
    committed,
    aborted, ///< it was never asked to be committed, or cannot have been
    unknown  ///< the answer did not come: recovery finds out
};

/// "committed"
std::string_view name_of(Outcome outcome);

/// A transaction of Kafka's has ended.
struct Transaction {
    int pipeline = 0;                       ///< its number
    std::size_t shards = 0;                 ///< that have a manifest in it
    Outcome outcome = Outcome::unknown;     ///< as far as is known
    std::size_t events = 0;                 ///< none: it held a manifest alone
    Span took{};                            ///< from its begin to the answer
    std::chrono::milliseconds throttled{0}; ///< for how long quotas held it back
    std::string_view reason = {};           ///< of what failed; empty: nothing did
};

/// Kafka has the events of a batch: consumers see them. There is one at least.
struct Sent {
    int pipeline = 0; ///< its number
    Moment at;        ///< the commit was answered
    Events events;    ///< dead letters among them
};

/// Events that Kafka has are SENT in PostgreSQL, and recovery begins behind them.
struct Marked {
    int pipeline = 0;        ///< its number
    std::size_t batches = 0; ///< how many
    std::size_t events = 0;  ///< how many
    Span took{};             ///< the statements; the commit is shared with a claim
};

/// How many manifests of the control topic a recovery would have to read at this moment.
struct ControlLag {
    int shard = 0;             ///< its number
    std::size_t manifests = 0; ///< how many
};

/// An event could not be sent.
struct Attempt {
    int shard = 0;                           ///< its number
    Uuid id = {};                            ///< the event's
    std::int64_t seq = 0;                    ///< the event's
    int attempt = 0;                         ///< this one included
    std::string_view error = {};             ///< why not
    std::string_view dead_letter_topic = {}; ///< where those that are given up go; empty: nowhere
    bool key_waits = false;                  ///< given up: later events of its key wait for an operator
    std::chrono::milliseconds wait{0};       ///< before it is tried again
};

/// Events were given up with their topic, which takes nothing: they are FAILED.
struct FailedWithTopic {
    int shard = 0;                           ///< its number
    std::size_t events = 0;                  ///< how many
    Uuid last = {};                          ///< of them
    std::string_view error = {};             ///< why not
    std::string_view dead_letter_topic = {}; ///< empty: nowhere
};

/// Copies of FAILED events are in the dead-letter topic.
struct DeadLettered {
    int pipeline = 0;            ///< its number
    std::string_view topic = {}; ///< its name
    std::size_t events = 0;      ///< how many
};

/// Events of a topic are older than it keeps records, and so are sent with the time of sending.
struct Outlived {
    std::string_view topic = {};         ///< "(others)" where there are many
    std::int64_t events = 0;             ///< how many
    std::int64_t events_since_start = 0; ///< of all topics
};
///@}

///@{
/// A shard's ownership.

/// A shard's loop does something else from now on.
struct StateChanged {
    int shard = 0;                         ///< its number
    std::int64_t epoch = 0;                ///< 0: the shard is not this relay's, as far as is known
    ShardState from = ShardState::unowned; ///< what it did
    ShardState to = ShardState::unowned;   ///< what it does now
};

/// A relay that owned a shard is dead: it has lost its session, and its lease is over.
struct LeaseExpired {
    int shard = 0;   ///< its number
    Uuid owner = {}; ///< the id of that relay
};

/// This relay owns the shard under a new epoch. What the last owner left is looked up next.
struct TookOver {
    int shard = 0;          ///< its number
    std::int64_t epoch = 0; ///< of this ownership
    std::int64_t batch = 0; ///< the newest that was marked
};

/// A recovery has ended well: it is known what was sent, and the rows say so.
struct Recovered {
    int shard = 0;            ///< its number
    std::int64_t epoch = 0;   ///< of this ownership
    std::int64_t batch = 0;   ///< the newest that Kafka has
    std::int64_t settled = 0; ///< events that manifests name and that were not marked yet
    std::int64_t reset = 0;   ///< claimed events that no manifest names: they are sent again
    std::size_t gone = 0;     ///< events whose records are gone with their topic
    bool emptied = false;     ///< outbox_events was emptied while its events were at the broker
    bool seq_moved = false;   ///< the database has lost events that Kafka has
    Span took{};              ///< since the take-over
};

/// Records of committed events are gone with their topic: the events are FAILED.
struct Gone {
    int shard = 0;             ///< its number
    std::size_t events = 0;    ///< how many
    std::string_view why = {}; ///< and what to type
};

/// What a recovery is begun for.
enum class Cause {
    passes,          ///< by itself, mostly
    asks_for_a_hand, ///< somebody has to give back what the database refuses
    refused,         ///< brokers refuse this client, as with a wrong password
    unexpected,      ///< an error of the relay's own
    mended           ///< nothing failed: it can do more than the last one could
};

/// It is in doubt what was sent, so a shard recovers, now or after a while.
struct Recovers {
    int shard = 0;                ///< its number
    std::string_view reason = {}; ///< in words
    Cause cause = Cause::passes;  ///< what kind of reason
    int failures = 0;             ///< in a row; 0: none
};

/// It is in doubt what was sent by a pipeline: its producers are made anew, and each of its shards recovers,
/// now or after a while.
struct PipelineRecovers {
    int pipeline = 0;             ///< its number
    std::size_t shards = 0;       ///< that it serves
    std::string_view reason = {}; ///< in words
    Cause cause = Cause::passes;  ///< what kind of reason
    int failures = 0;             ///< in a row; 0: none
};

/// A shard waits before its next recovery because the last one, or what came after it, failed; or that is
/// over.
struct Breaker {
    int shard = 0;     ///< its number
    bool open = false; ///< it waits
    int failures = 0;  ///< in a row
};

/// The shard is another relay's.
struct Lost {
    int shard = 0;                ///< its number
    std::string_view reason = {}; ///< in words
    bool stood_still = false;     ///< it was stopped here
};

/// Going on would be a guess: the shard stands still until an operator has acted.
struct Stopped {
    int shard = 0;                ///< its number
    std::string_view reason = {}; ///< in words
};

/// A broker ended a transaction and left out its marker in one partition.
struct LostMarker {
    std::string_view ids = {};   ///< under which it was begun: "p0" of slot 0, "3" of shard 3 by itself
    std::string_view topic = {}; ///< its name
    std::int32_t partition = 0;  ///< of the topic
    std::int64_t offset = 0;     ///< where the transaction begins there
    bool committed = false;      ///< else aborted
};
///@}

///@{
/// What makes a shard slower or smaller.

/// A quota of Kafka's holds this relay back.
struct Throttled {
    int pipeline = 0;                      ///< its number
    std::chrono::milliseconds throttle{0}; ///< of one batch
    std::size_t events_a_batch = 0;        ///< it sends at most
};

/// A batch was too much for Kafka, or a claim for PostgreSQL: the next one is smaller.
struct TooMuch {
    int pipeline = 0;             ///< its number
    std::size_t events = 0;       ///< of it; 0: not known
    std::size_t next = 0;         ///< at most
    std::string_view reason = {}; ///< in words
};

/// An event can be neither sent nor given up, because the database refuses to change it.
struct HeldUp {
    int pipeline = 0;             ///< its number
    std::string_view reason = {}; ///< in words
    bool repeated = false;        ///< this was said a short while ago
};

/// Something of a shard, and how many: what the function is named for says what.
struct Count {
    int shard = 0;         ///< its number
    std::size_t count = 0; ///< how many
};

/// The same of a pipeline.
struct PipelineCount {
    int pipeline = 0;      ///< its number
    std::size_t count = 0; ///< how many
};

/// The same of a pipeline.
struct PipelineReason {
    int pipeline = 0;             ///< its number
    std::string_view reason = {}; ///< in words
};

/// Something of a shard, and why.
struct Reason {
    int shard = 0;                ///< its number
    std::string_view reason = {}; ///< in words
};
///@}

///@{
/// The relay as a whole.

/// One of its loops has begun another turn, and so is not stuck. Told often: at most minutes lie between.
struct Moved {
    std::optional<int> pipeline = {}; ///< its number; nullopt: the loop of the relay as a whole
    bool ended = false;               ///< it has none any more
};

/// It knows its database and its cluster, and begins to take shards.
struct Started {
    std::string_view outbox = {};  ///< its id
    std::string_view name = {};    ///< OUTBOX_NAME
    std::string_view cluster = {}; ///< its id
    int shards = 0;                ///< of the outbox
    std::string_view relay = {};   ///< the id of this one
};

/// It waits for a server.
struct Waits {
    std::string_view reason = {}; ///< in words
    int failures = 0;             ///< in a row
    bool refused = false;         ///< the brokers refuse this client: somebody has to act
};

/// An operator has paused or resumed something.
struct PausesChanged {
    std::size_t shards = 0; ///< that are paused now
    std::size_t topics = 0; ///< that are paused now
};

/// The outbox has another number of shards.
struct Resharded {
    int shards = 0; ///< the number from now on
    int before = 0; ///< the number until now
};

/// The order of a key's events may be broken, by somebody's deed: `outbox_events.seq` gave out numbers again.
struct OrderViolation {
    std::int64_t seq = 0; ///< the newest event's; later ones get greater numbers
};

/// How grave a finding is.
enum class Gravity { warning, error, refusal };

/// The database is not as it has to be.
struct Finding {
    Gravity gravity = Gravity::warning; ///< refusal: nothing is sent until it is mended
    std::string_view object = {};       ///< which it is about
    std::string_view what = {};         ///< what comes of it
    std::string_view mend = {};         ///< what to type
};

/// A server may lose what it has acknowledged.
enum class LossyServer {
    postgres, ///< fsync is off
    kafka     ///< unclean leader election of its own record of transactions
};

/// It ends: it claims nothing more, and gives its shards back.
struct Drains {
    std::size_t shards = 0;               ///< that it has
    std::chrono::milliseconds timeout{0}; ///< it waits for them no longer
};

/// It has ended.
struct Drained {
    std::size_t in_flight = 0; ///< events that the next relay's recovery settles
    bool in_time = true;       ///< every shard was given back
};
///@}

} // namespace outbox::relay::happened
