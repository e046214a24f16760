#pragma once

#include "node/pauses.hpp"
#include "shard/control_doubt.hpp"
#include "shard/recovery.hpp"
#include "shard/seams.hpp"
#include "shard/shard_bell.hpp"
#include "shard/shard_machine.hpp"
#include "shard/troubles.hpp"
#include "shard/work.hpp"

#include <atomic>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <thread>

namespace outbox::relay {

/// Owns one shard: takes it, recovers, then works until told to release it or until it is lost. start() gives
/// it a thread; a model calls step() instead. The functions that are not step() are thread-safe.
class ShardLoop {
public:
    struct Settings {
        Uuid relay;
        const store::Identity& identity;
        const std::atomic<unsigned>& kafka_returns; ///< of KafkaWatch
        std::function<void()> ended; ///< called at the end: others shall hear at once that its shard is free
    };
    /// What it is made with outlives it.
    ShardLoop(const Settings& settings, const Work::Settings& work, const Seams& seams,
              delivery::PublisherOptions publisher);
    ShardLoop(const ShardLoop&) = delete;
    ShardLoop& operator=(const ShardLoop&) = delete;
    ~ShardLoop();

    /// Runs it on a thread of its own until it has ended.
    void start();
    /// Does what its state asks for. @return false: it has ended
    bool step();

    [[nodiscard]] ShardBell& bell() { return bell_; }
    [[nodiscard]] bool ended() const { return ended_; }
    [[nodiscard]] int shard() const { return shard_; }
    /// Events claimed and not yet marked; what a drain that ran out of time leaves to recovery.
    [[nodiscard]] std::size_t in_flight() const { return in_flight_; }
    /// It stands still for another reason.
    [[nodiscard]] bool needs_kafka() const { return !stands_still_; }
    /// Why it does not get on.
    [[nodiscard]] std::optional<Hindrance::Told> hindrance() const {
        return troubles_.hindrance.told(clock_.now());
    }
    /// What holds it back while it gets on.
    [[nodiscard]] std::optional<Hindrance::Told> slowness() const {
        return troubles_.hindrance.slow(clock_.now());
    }

    ///@{
    /// For a model, between two steps.
    [[nodiscard]] ShardState state() const { return machine_.state(); }
    [[nodiscard]] delivery::Publisher& publisher() { return publisher_; }
    ///@}

private:
    Step perform();
    Step settle();
    Step work();
    Step rest();
    Step release();
    Step back_off();
    Step stand_still();
    Step check_doubt();

    /// How a step ended, also where it threw.
    struct Ending {
        Step step = {};
        Breaker::Cause cause = Breaker::Cause::passes; ///< of a doubt
        bool expected = true;                          ///< else it is no error of ours
    };
    static Ending ending_of(const std::exception& error);
    void follow(const Ending& ending);
    void recover(const Ending& ending);
    void tell_changes();
    void stop(const std::string& reason);
    void note_stopped();
    void stay_stopped();
    void note_quiet(bool quiet);
    [[nodiscard]] Wishes wishes() const { return {bell_.releasing(), pauses_.has_shard(shard_)}; }

    int shard_;
    Settings settings_;
    ShardSession& session_;
    const Pauses& pauses_;
    Clock& clock_;
    delivery::IdentityWatch& identities_;
    Observer& observer_;
    ShardBell bell_;
    ShardMachine machine_;
    Troubles troubles_;
    ControlDoubt control_;
    delivery::Publisher publisher_;
    Recovery recovery_;
    Work work_;
    unsigned returns_ = 0;                        ///< of Kafka, when this shard was taken
    ShardState told_state_ = ShardState::unowned; ///< to the observer
    int told_failures_ = 0;                       ///< the same
    std::string stopped_for_;                     ///< is to be written to outbox_shards; empty: nothing is
    std::atomic<bool> ended_{false};
    std::atomic<bool> stands_still_{false};
    std::atomic<std::size_t> in_flight_{0};
    std::thread thread_;
};

} // namespace outbox::relay
