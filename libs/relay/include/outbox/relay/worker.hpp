#pragma once

#include <outbox/core/wakeup.hpp>
#include <outbox/kafka/admin.hpp>
#include <outbox/relay/options.hpp>
#include <outbox/relay/pauses.hpp>
#include <outbox/relay/publisher.hpp>
#include <outbox/relay/recovery.hpp>
#include <outbox/relay/topics.hpp>
#include <outbox/store/relays.hpp>
#include <outbox/store/shard.hpp>

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace outbox::relay {

struct BuiltBatch;

/// Why a row failed in a transaction of its own.
struct BlamedRow {
    Refusal refusal;            ///< of the row itself
    std::string no_dead_letter; ///< of its dead letter; empty: was not tried
};
using BlamedRows = std::map<std::int64_t, BlamedRow>;

/// What the shards of one relay share. Outlives every worker.
struct RelayContext {
    const RelayOptions& options;
    const store::Identity& identity;
    const kafka::Admin& admin;
    Topics& topics;
    const Pauses& pauses;
    Uuid relay;
    const Wakeup& worker_ended; ///< rung by each, so that others hear at once that its shard is free
};

/// Owns one shard: takes it, recovers, then claims, publishes and marks until told to release it or until it
/// is lost. Runs on a thread of its own; the public functions are thread-safe.
class ShardWorker {
public:
    ShardWorker(const RelayContext& context, int shard);
    ShardWorker(const ShardWorker&) = delete;
    ShardWorker& operator=(const ShardWorker&) = delete;
    ~ShardWorker();

    /// The doorbell rang for a bucket of this shard, or it should look again for another reason.
    void ring();
    /// The shard is said to be somebody else's: look, and end if it is so.
    void doubt();
    /// Claim nothing more, finish what is in flight, give the shard back, end.
    void request_release();
    [[nodiscard]] bool ended() const { return ended_; }
    [[nodiscard]] int shard() const { return shard_; }
    /// Events claimed and not yet marked; what a drain that ran out of time leaves to recovery.
    [[nodiscard]] std::size_t in_flight() const { return in_flight_; }

private:
    struct Pending; // batches between claim and mark

    void run();
    void session();
    void open_connection();
    bool take_shard();
    void recover();
    void operate();
    void stand_still(const std::string& reason);

    void collect(Pending& pending);
    void submit(Pending& pending);
    bool turn(Pending& pending);
    store::RowSet claim(store::Turn& guarded, const std::vector<std::int64_t>& in_flight,
                        const std::vector<std::string>& parked);
    void tend_waiting(const Pending& pending);
    std::unique_ptr<Batch> first_batch();
    void build(Pending& pending, store::RowSet claimed);
    void write_refusals(const BuiltBatch& built);
    void note_attempt(const store::FailedAttempt& attempt, const std::string& dead_letter_topic);
    void on_failure(const Batch& batch, const kafka::Failure& failure);
    void note_fencing();
    void wait_for_work(Pending& pending);
    void sleep_exactly();
    void check_doubt();
    void check_unmarked();
    void note_topics(const Batch& batch);
    void rest();
    [[nodiscard]] bool paused() const { return context_.pauses.has_shard(shard_); }
    [[nodiscard]] std::vector<std::string> left_out() const;
    [[nodiscard]] bool releasing() const { return release_; }
    [[nodiscard]] store::ClaimLimits limits() const;

    const RelayContext& context_;
    int shard_;
    std::atomic<bool> release_{false};
    std::atomic<bool> ended_{false};
    std::atomic<bool> rung_{false};
    std::atomic<bool> doubted_{false};
    std::atomic<std::size_t> in_flight_{0};

    Signal signal_;
    std::optional<postgres::Connection> connection_;
    std::optional<store::ShardStore> store_;
    std::optional<store::Acquired> acquired_;
    std::int64_t next_batch_ = 1;
    Publisher publisher_;

    std::size_t event_limit_;                      ///< halved while a record is sought that spoils its batch
    BlamedRows blamed_;                            ///< by seq
    std::deque<SteadyClock::time_point> fencings_; ///< while still owner
    std::deque<store::BlockedKey> free_keys_;      ///< whose held rows need wait no more
    std::vector<std::string> unmarked_topics_;     ///< where a lost marker must be written first
    std::set<std::string, std::less<>> noted_topics_; ///< the database knows that events go there
    bool waiting_ = false;                            ///< rows wait or keys are blocked, as far as is known
    bool ready_first_ = false;                        ///< the last claim took waiting rows
    int failures_ = 0;                                ///< recoveries in a row without a batch sent
    milliseconds idle_wait_{1};
    SteadyClock::time_point quiet_since_{};
    SteadyClock::time_point next_look_{};
    SteadyClock::time_point next_tend_{};
    SteadyClock::time_point next_unmarked_look_{};
    std::thread thread_;
};

} // namespace outbox::relay
