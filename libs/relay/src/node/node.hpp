#pragma once

#include "node/kafka_watch.hpp"
#include "node/outlived.hpp"
#include "node/pauses.hpp"
#include "node/preflight.hpp"
#include "node/shares.hpp"
#include "node/spread.hpp"
#include "shard/kafka_brokers.hpp"
#include "shard/running_pipeline.hpp"

#include <outbox/core/wakeup.hpp>
#include <outbox/delivery/claim_budget.hpp>
#include <outbox/delivery/topic_watch.hpp>
#include <outbox/delivery/topics.hpp>
#include <outbox/relay/observer.hpp>
#include <outbox/relay/options.hpp>
#include <outbox/store/numbering.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace outbox::relay {

/// One relay: finds the others through the database, owns its share of the shards, hears the doorbell.
class Node {
public:
    /// @param observer  outlives it
    Node(RelayOptions options, Observer& observer);
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;
    ~Node();

    /// Runs until stop(). Waits for a database and a cluster that are away.
    /// @return events that were in flight when the drain's deadline passed; recovery settles them.
    /// @throws Error(stop) for what only an operator can mend.
    std::size_t run();
    /// After run(): whether every shard was given back. If not, end the process without waiting for its
    /// threads.
    [[nodiscard]] bool drained() const noexcept;

    /// Ends run(): shards are drained and given back. Async-signal-safe, thread-safe.
    void stop() noexcept;

private:
    bool establish();
    void take_name(postgres::Connection& session);
    void connect();
    void look_at_database(Deadline deadline);
    void rest(milliseconds span);
    void mend_numbering();
    void mend_numbering(store::Look look);
    void serve();
    void beat();
    [[nodiscard]] std::vector<store::HinderedShard> hindered() const;
    bool follow_reshard(int shard_count);
    void make_missing_shards();
    void apply(const store::Membership& membership);
    void tell_expired(const store::Membership& membership, int shard) const;
    void take(int shard);
    void give(int shard, std::size_t pipeline);
    void spread();
    void take_forgotten(const store::Membership& membership);
    void release(int shard);
    void ring_all();
    std::unique_ptr<RunningPipeline> run_pipeline(int number);
    void reap();
    void note_outages();
    void drop_outages_of_nobody();
    void hear(const std::vector<std::string>& payloads);
    void wait_for_servers(const Error& error, int failures, unsigned returns);
    std::size_t drain();

    RelayOptions options_;
    Observer& observer_;
    Uuid relay_ = Uuid::random();
    Wakeup wakeup_;
    std::atomic<bool> stopping_{false};
    kafka::Admin admin_;
    KafkaWatch kafka_watch_;
    delivery::Topics topics_;
    delivery::TopicWatch topic_watch_;
    Pauses pauses_;
    delivery::ClaimBudget budget_;
    Outlived outlived_;
    store::Identity identity_;
    std::optional<KafkaBrokers> brokers_; ///< since it is known who we are
    Clock clock_;
    std::optional<postgres::Connection> connection_;
    std::optional<store::Relays> relays_;
    std::vector<std::unique_ptr<RunningPipeline>> pipelines_;
    std::map<int, std::size_t> shards_; ///< which pipeline serves each
    std::map<int, std::size_t> moving_; ///< those that another one is to serve next
    Spread spread_;
    std::map<int, SteadyClock::time_point> lost_; ///< shards not to be tried again before
    SteadyClock::time_point next_beat_{};
    SteadyClock::time_point next_forget_{};
    Preflight preflight_;
    bool parked_ = false; ///< the database endangers the promise: no shard is taken
    SteadyClock::time_point next_look_{};
    SteadyClock::time_point next_outage_look_{};
    std::optional<std::vector<delivery::Outage>>
        noted_outages_;    ///< nullopt: what the database knows is not known
    std::jthread watcher_; ///< asks about parked topics
};

} // namespace outbox::relay
