#pragma once

#include "fiber.hpp"
#include "life.hpp"
#include "model_brokers.hpp"
#include "model_session.hpp"
#include "shard/pipeline_loop.hpp"

#include <bitset>
#include <memory>
#include <optional>
#include <string>

namespace outbox::model {

/// One relay: a pipeline that may serve both shards, and what the node around it does. The pipeline's loop is
/// the product's own; what stands behind its seams is the model's. It runs until it waits for anything: a
/// transaction to begin to commit, a broker's answer, time.
class Relay {
public:
    Relay(int number, Surroundings& world);
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;
    ~Relay();

    void step();
    /// The process dies, wherever it is; a new one takes its place.
    void crash();
    /// @return whether a lane awaited it
    bool hear(const Message& message);
    [[nodiscard]] bool awaits(const Message& message) const;
    /// A request of a lane is not answered in time. @return false when none waits
    bool time_out(bool again, Dice& dice);

    void turn_pause(int shard);
    void end_pauses();
    void ask_release(int shard);
    void ask_hand_over(int shard); ///< to another pipeline; here it comes back to the same
    void doubt();                  ///< a heartbeat sees other owners
    bool hung = false;             ///< SIGSTOP

    /// Some shard.
    [[nodiscard]] bool serves() const { return shards_.any(); }
    [[nodiscard]] bool may_take_one() const;
    /// A batch of it is at the broker.
    [[nodiscard]] bool sends() const { return publisher_fiber_->busy(); }
    /// The shard stands still here.
    [[nodiscard]] bool stopped(int shard) const;
    [[nodiscard]] const std::string& reason(int shard) const { return session_->database().reason(shard); }
    [[nodiscard]] int identity() const { return life_.identity; }

private:
    void begin();
    void take_shares();
    [[nodiscard]] bool may_take(int shard) const;
    void run_publisher();

    Surroundings& world_;
    Life life_;
    std::optional<ModelSession> session_;
    ModelBrokers brokers_;
    ModelTopics topics_;
    ModelIdentities identities_;
    ModelClock clock_;
    relay::Pauses pauses_;
    std::bitset<shard_count> paused_;
    std::bitset<shard_count> shards_; ///< given to the pipeline
    delivery::ClaimBudget budget_{1U << 20U};
    relay::Observer observer_; ///< of nobody
    relay::Outlived outlived_{observer_};
    std::optional<relay::PipelineLoop> loop_;
    std::unique_ptr<Fiber> loop_fiber_;
    std::unique_ptr<Fiber> publisher_fiber_;
};

} // namespace outbox::model
