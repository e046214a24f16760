#pragma once

#include "cures.hpp"
#include "database.hpp"
#include "producer.hpp"
#include "shard/recovery.hpp"
#include "shard/shard_machine.hpp"

#include <outbox/delivery/batch_policy.hpp>
#include <outbox/delivery/manifest.hpp>

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace outbox::model {

using Trace = std::vector<std::string>;

/// What happened, so that a campaign can say what it has seen.
struct Counts {
    std::uint64_t batches = 0; ///< published
    std::uint64_t takes = 0;
    std::uint64_t recoveries = 0;
    std::uint64_t crashes = 0; ///< of relays and PostgreSQL
    std::uint64_t late = 0;    ///< requests that reached the broker when their producer waited no more
};

/// What the relays of one model share.
struct Surroundings {
    Database& database;
    Kafka& kafka;
    Network& network;
    const Cures& cures;
    bool track_processing = true;
    bool faults = true;                            ///< statements fail, and answers to COMMIT are lost
    int clients = 0;                               ///< producers made so far
    std::vector<std::string> manifests{};          ///< texts, by number
    std::vector<std::int16_t> batch_of_manifest{}; ///< by number
    Counts counts{};
    Trace* trace = nullptr;

    [[nodiscard]] bool have(Cure cure) const { return cures.have(cure); }
};

/// Rows on their way, as delivery::Batch holds them.
struct Load {
    std::int64_t number = 0;
    std::vector<std::int16_t> seqs;
    Outgoing outgoing;
    std::int64_t offset = -1; ///< of its manifest, once published
    bool aborting = false;    ///< by a naive client
};

/// One relay's worker for the one shard: the relay's own state machine, recovery plan and policies, with a
/// step of a model where the worker does I/O. Steps are so small that another's may come between any two that
/// are not one transaction.
class Relay {
public:
    explicit Relay(int number);

    void step(Surroundings& world, Dice& dice);
    /// The process dies; a new one takes its place.
    void crash(Surroundings& world);
    /// @return whether a lane awaited it
    bool hear(const Message& message, Surroundings& world);
    [[nodiscard]] bool awaits(const Message& message) const;
    /// A request of a lane is not answered in time. @return false when none waits
    bool time_out(bool again, Dice& dice, Surroundings& world);

    relay::Wishes wishes;
    bool doubted = false; ///< a heartbeat saw another owner
    bool hung = false;    ///< SIGSTOP

    [[nodiscard]] relay::ShardState state() const { return machine_.state(); }
    [[nodiscard]] const std::string& reason() const { return reason_; } ///< why it stopped
    [[nodiscard]] int identity() const { return number_ + relay_count * life_; }
    [[nodiscard]] std::string describe() const;

private:
    enum class Fault { none, before, after };
    /// A guarded transaction under way.
    struct Turn {
        enum class Stage { none, reading, committing };
        Stage stage = Stage::none;
        relay::Pass pass;
        relay::Wishes wished;
        std::vector<std::int16_t> claimed;
        bool waiting = false; ///< claims rows that wait
        int floor = -1;       ///< largest seq that was read
    };

    void take(Surroundings& world, Dice& dice);
    void fence(Surroundings& world);
    void read_manifests(Surroundings& world);
    void settle(Surroundings& world, Dice& dice);
    void work(Surroundings& world, Dice& dice);
    void release(Surroundings& world, Dice& dice);
    void stop(const std::string& reason, Surroundings& world);
    void fail(const std::string& why, Surroundings& world);
    void lose(Surroundings& world);
    void drop(Surroundings& world);

    static const Uuid& outbox();
    /// Runs a transaction alone. @param write  of the tables; false rolls back
    /// @return whether it was committed and answered
    template <class Write>
    bool write(Surroundings& world, Dice& dice, Write write);

    // Recovery.
    bool fenced(Surroundings& world);
    [[nodiscard]] kafka::ControlTail tail(const Surroundings& world) const;
    [[nodiscard]] relay::Settle naive_plan(const kafka::ControlTail& tail) const;
    bool bring_in_line(Tables& tables, const Surroundings& world) const;

    // Work.
    void collect(Surroundings& world);
    void after_failure(const Load& load, const kafka::Failure& failure, int refused_id,
                       const Surroundings& world);
    void submit(Surroundings& world);
    void tend(Surroundings& world);
    void begin_turn(Surroundings& world, Dice& dice);
    void claim_ready(Surroundings& world, std::size_t most);
    bool claim_waiting(const Tables& tables);
    void commit_turn(Surroundings& world, Dice& dice);
    void mark_and_claim(Tables& tables, const Surroundings& world);
    void build(const std::vector<std::int16_t>& claimed, Surroundings& world);
    std::vector<std::int16_t> sort_out(const std::vector<std::int16_t>& claimed, Surroundings& world);
    Load load_of(std::vector<std::int16_t> seqs, Surroundings& world);

    [[nodiscard]] bool owns(const Tables& tables) const;
    [[nodiscard]] bool in_flight(int seq) const;
    [[nodiscard]] bool more_to_claim(const Tables& tables) const;
    [[nodiscard]] relay::InHand hand(const Surroundings& world) const;
    /// Of a statement that is about to run: the connection breaks before or after it.
    static Fault fault(const Surroundings& world, Dice& dice);
    Producer& lane_of(const Load& load) { return lanes_[static_cast<std::size_t>(load.number % lane_count)]; }
    template <class... Parts>
    void say(const Surroundings& world, const Parts&... parts) const;

    int number_;
    int life_ = 0; ///< each process has an identity of its own
    relay::ShardMachine machine_;
    std::string reason_;
    store::Acquired acquired_;
    std::array<Producer, lane_count> lanes_;
    std::size_t lanes_begun_ = 0;
    std::size_t lanes_fenced_ = 0;
    int watermark_ = -1;
    relay::Settle settle_;
    std::int64_t next_batch_ = 1;
    delivery::BatchLimit limit_;
    std::array<bool, most_rows> blamed_{}; ///< by seq
    std::optional<Load> ready_;
    std::vector<Load> publishing_; ///< one, with all cures
    std::vector<Load> published_;
    Turn turn_;
};

} // namespace outbox::model
