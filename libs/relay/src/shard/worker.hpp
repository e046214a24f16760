#pragma once

#include "node/outlived.hpp"
#include "node/pauses.hpp"
#include "shard/breaker.hpp"
#include "shard/hindrance.hpp"
#include "shard/recovery.hpp"
#include "shard/repetition.hpp"
#include "shard/shard_machine.hpp"

#include <outbox/core/wakeup.hpp>
#include <outbox/delivery/batch_policy.hpp>
#include <outbox/delivery/claim_budget.hpp>
#include <outbox/delivery/publisher.hpp>
#include <outbox/delivery/topic_watch.hpp>
#include <outbox/delivery/topics.hpp>
#include <outbox/kafka/admin.hpp>
#include <outbox/relay/options.hpp>
#include <outbox/store/relays.hpp>
#include <outbox/store/shard.hpp>

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

namespace outbox::relay {

struct BuiltBatch;
struct Patience;

/// Why a row failed in a transaction of its own.
struct BlamedRow {
    delivery::Refusal refusal;  ///< of the row itself
    std::string no_dead_letter; ///< of its dead letter; empty: was not tried
};
using BlamedRows = std::map<std::int64_t, BlamedRow>;

/// What a failed transaction means for its events.
struct BatchVerdict {
    delivery::Remedy remedy = delivery::Remedy::none;
    delivery::Refusal why;
    std::size_t events = 0;
    std::int64_t seq = 0; ///< the first one's
    std::string topic;    ///< the first one's
};

/// What the shards of one relay share. Outlives every worker.
struct RelayContext {
    const RelayOptions& options;
    const store::Identity& identity;
    const kafka::Admin& admin;
    delivery::Topics& topics;
    delivery::TopicWatch& watch;
    const Pauses& pauses;
    delivery::ClaimBudget& budget;
    Uuid relay;
    const Wakeup& worker_ended; ///< rung by each, so that others hear at once that its shard is free
    Outlived& outlived;
    const std::atomic<unsigned>& kafka_returns; ///< of KafkaWatch
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
    /// Old rows have become ready again.
    void look_again();
    /// The shard is said to be somebody else's: look, and end if it is so.
    void doubt();
    /// Claim nothing more, finish what is in flight, give the shard back, end.
    void request_release();
    [[nodiscard]] bool ended() const { return ended_; }
    [[nodiscard]] int shard() const { return shard_; }
    /// Events claimed and not yet marked; what a drain that ran out of time leaves to recovery.
    [[nodiscard]] std::size_t in_flight() const { return in_flight_; }
    /// It stands still for another reason.
    [[nodiscard]] bool needs_kafka() const { return !stands_still_; }
    /// Why it does not get on.
    [[nodiscard]] std::optional<Hindrance::Told> hindrance() const {
        return hindrance_.told(SteadyClock::now());
    }
    /// What holds it back while it gets on.
    [[nodiscard]] std::optional<Hindrance::Told> slowness() const {
        return hindrance_.slow(SteadyClock::now());
    }

private:
    struct Pending; // batches between claim and mark

    void run();
    void perform();

    void take();
    [[nodiscard]] postgres::Connection open_session() const;
    void open_connection();
    void close_connection();
    void fence();
    kafka::ControlTail read_tail();
    void read_manifests();
    void settle();
    void begin_work();
    void work();
    void rest();
    void release();
    void back_off();
    void recover_from(const Error& error);
    void stop_at(const Contradiction& contradiction);
    void note_stopped(const std::string& reason);
    void stand_still();

    void collect();
    void submit();
    void prove();
    void identify(delivery::Batch& batch);
    void freshen(const delivery::TopicIdentities& topics);
    delivery::ClaimBudget::Held room();
    bool turn(const Wishes& wished);
    store::RowSet mark_and_claim(const Pass& pass, const std::vector<std::string>& parked);
    store::RowSet mark_or_find_unreadable(const Pass& pass, const std::vector<std::string>& parked);
    void look_for_unreadable(const postgres::DatabaseError& error);
    void fail_unreadable();
    bool leave_out_refused();
    void leave_out(std::span<const store::UnreadableRow> rows);
    [[nodiscard]] std::optional<milliseconds> until_refused_are_tried() const;
    void try_refused();
    void refusals_over();
    store::RowSet claim(store::Turn& guarded, const std::vector<std::int64_t>& in_flight,
                        const std::vector<std::string>& parked);
    void skip_parked(const std::vector<std::string>& parked);
    bool worth_a_claim(const std::vector<std::string>& parked);
    void forget_published();
    void tend_waiting();
    void free_strays();
    std::unique_ptr<delivery::Batch> empty_batch();
    void build(store::RowSet claimed, delivery::ClaimBudget::Held held, const delivery::LeftOut& left_out);
    void note_parked(const BuiltBatch& built);
    void write_refusals(const BuiltBatch& built);
    void note_attempts(std::span<const store::FailedAttempt> attempts, const std::string& dead_letter_topic);
    void note_attempt(const store::FailedAttempt& attempt, const std::string& dead_letter_topic);
    void on_failure(const delivery::Batch& batch, const kafka::Failure& failure, milliseconds throttled);
    void on_too_much(const delivery::Batch& batch, const kafka::Failure& failure, bool late,
                     milliseconds throttled);
    std::optional<bool> brokers_tell(const delivery::Batch& batch);
    [[noreturn]] void on_refusing_control_topic(const std::string& why);
    void wait_for_control_topic();
    void look_at_control_topic();
    void note_throttle(milliseconds throttled);
    void on_sent(const delivery::Batch& batch, milliseconds throttled);
    void apply(const BatchVerdict& verdict);
    void check_fencing();
    void wait_for_work();
    void sleep_exactly();
    void check_doubt();
    void check_unmarked();
    void note_topics(const delivery::Batch& batch);
    void note_quiet(bool quiet);
    [[nodiscard]] Patience patience();
    delivery::LeftOut left_out();
    [[nodiscard]] Wishes wishes() const { return {release_, context_.pauses.has_shard(shard_)}; }
    [[nodiscard]] bool releasing() const { return release_; }
    [[nodiscard]] store::ClaimLimits limits() const;

    const RelayContext& context_;
    int shard_;
    std::atomic<bool> release_{false};
    std::atomic<bool> ended_{false};
    std::atomic<bool> rung_{false};
    std::atomic<bool> doubted_{false};
    std::atomic<bool> stands_still_{false};
    std::atomic<bool> looks_again_{false};
    std::atomic<std::size_t> in_flight_{0};

    delivery::Signal signal_;
    ShardMachine machine_;
    Breaker breaker_;
    Repetition recoveries_; ///< and their reasons
    Hindrance hindrance_;
    unsigned returns_ = 0; ///< of Kafka, when this shard was taken
    std::optional<postgres::Connection> connection_;
    std::optional<store::ShardStore> store_;
    std::optional<store::Acquired> acquired_;
    delivery::Publisher publisher_;

    SteadyClock::time_point recovery_limit_{};
    Settle settle_; ///< what the manifests ask for
    /// Topics where a lost marker must be written first, each with what rows name that go there.
    std::map<std::string, std::set<std::string, std::less<>>, std::less<>> unmarked_topics_;

    std::unique_ptr<Pending> pending_;
    std::int64_t next_batch_ = 1;
    delivery::BatchLimit batch_limit_;
    delivery::ClaimLimit claim_limit_;
    Pace pace_;
    BlamedRows blamed_;                            ///< by seq
    std::vector<store::UnreadableRow> unreadable_; ///< found, and not FAILED yet
    std::set<int> refused_buckets_;                ///< of events that cannot be changed: they are left out
    bool tries_refused_ = false;                   ///< they were left out until now
    SteadyClock::time_point next_refused_try_{};
    Repetition refusals_;                     ///< and their reasons
    std::optional<BatchVerdict> unproven_;    ///< the control topic must be seen to take records first
    bool control_doubted_ = false;            ///< it refused: it must be seen to take records
    std::deque<store::BlockedKey> free_keys_; ///< whose held rows need wait no more
    std::set<std::string, std::less<>> noted_topics_; ///< the database knows that events go there
    bool waiting_ = false;                            ///< rows wait or keys are blocked, as far as is known
    bool ready_first_ = false;                        ///< the last claim took waiting rows
    SteadyClock::time_point next_tend_{};
    SteadyClock::time_point next_skip_{};
    SteadyClock::time_point next_strays_{};
    SteadyClock::time_point next_head_{}; ///< claims begin at the head then, whatever is known
    SteadyClock::time_point next_throttle_word_{};
    SteadyClock::time_point next_unmarked_look_{};
    std::thread thread_;
};

} // namespace outbox::relay
