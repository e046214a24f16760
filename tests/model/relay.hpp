#pragma once

#include "fiber.hpp"
#include "life.hpp"
#include "model_brokers.hpp"
#include "model_session.hpp"
#include "shard/shard_loop.hpp"

#include <memory>
#include <optional>
#include <string>

namespace outbox::model {

/// One relay with its loop for the one shard. The loop is the product's own; what stands behind its seams is
/// the model's. It runs until it waits for anything: a transaction to begin to commit, a broker's answer,
/// time.
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

    void turn_pause();
    void end_wishes();
    void ask_release();
    void doubt();      ///< a heartbeat saw another owner
    bool hung = false; ///< SIGSTOP

    [[nodiscard]] relay::ShardState state() const { return loop_->state(); }
    /// A new loop may begin.
    [[nodiscard]] bool ended() const {
        return loop_->state() == relay::ShardState::ended && !loop_fiber_->busy();
    }
    [[nodiscard]] const std::string& reason() { return session_->database().reason(); } ///< why it stopped
    [[nodiscard]] int identity() const { return life_.identity; }

private:
    void begin();
    void run_publisher();

    Surroundings& world_;
    Life life_;
    std::optional<ModelSession> session_;
    ModelBrokers brokers_;
    ModelTopics topics_;
    ModelIdentities identities_;
    ModelClock clock_;
    relay::Pauses pauses_;
    bool paused_ = false;
    delivery::ClaimBudget budget_{1U << 20U};
    relay::Observer observer_; ///< of nobody
    relay::Outlived outlived_{observer_};
    std::optional<relay::ShardLoop> loop_;
    relay::ShardState last_ = relay::ShardState::unowned;
    std::unique_ptr<Fiber> loop_fiber_;
    std::unique_ptr<Fiber> publisher_fiber_;
};

} // namespace outbox::model
