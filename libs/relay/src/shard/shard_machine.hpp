#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/relay/shard_state.hpp>

namespace outbox::relay {

/// What is wanted from outside.
struct Wishes {
    bool release = false;   ///< claim nothing more, finish, give the shard back, end
    bool pause = false;     ///< claim nothing
    bool hand_over = false; ///< of one that works: the same as release
};

/// Which batches a loop holds between claim and mark, at most one of each.
struct InHand {
    bool ready = false;      ///< built, waits for the publisher
    bool publishing = false; ///< at the broker
    bool published = false;  ///< Kafka has it, its rows are not marked
    bool alone = false;      ///< one that is not proven yet is marked before anything is claimed
    bool proven = false;     ///< one that is published, its topics being the same as before: it may be marked

    [[nodiscard]] bool nothing() const { return !ready && !publishing && !published; }
};

/// What one pass of a working shard does in the database.
struct Pass {
    bool mark = false;
    bool claim = false;
    bool peek_first =
        false; ///< nothing is in hand: an unguarded look tells whether a claim is worth its lock

    [[nodiscard]] bool nothing() const { return !mark && !claim; }
};

/// The life of one shard in one loop: what is done next, from what happened last. The loop performs what
/// the state asks for and says how that ended. No I/O, no clock.
class ShardMachine {
public:
    [[nodiscard]] ShardState state() const { return state_; }

    /// Before each step: a wish may make the step needless.
    void heed(const Wishes& wishes);

    /// The step was done; not for working, which goes on until pass_ended() or a failure.
    void done();
    /// The shard is another relay's.
    void lost();
    /// What is half done is unknown: begin anew, after a wait.
    void failed();
    /// Nothing failed, and a recovery can do more than the last one: begin anew, without a wait.
    void again();
    /// Going on would be a guess.
    void stop();
    /// The operator says that it would not be any more: begin anew.
    void resume();

    /// @param look_due  it is time to look for new rows of some shard
    [[nodiscard]] static Pass plan_pass(const InHand& hand, bool look_due);
    /// @param in_hand  whether something of the shard is between claim and mark, after the pass
    void pass_ended(bool in_hand, const Wishes& wishes);

private:
    ShardState state_ = ShardState::unowned;
    bool owner_ = false; ///< as far as is known; also while it begins anew
};

/// When a working shard looks for new rows: at once after work, then ever more slowly, and after some quiet
/// it may sleep until the doorbell rings. No clock of its own.
class Pace {
public:
    using Time = SteadyClock::time_point;

    /// There was work, or the shard woke.
    void busy(Time now);
    void look_now() { next_look_ = {}; }
    /// Looks again after wait().
    void look_later(Time now) { next_look_ = now + wait(); }
    /// @return how long to wait before the next look; longer each time
    milliseconds wait();

    [[nodiscard]] bool look_due(Time now) const { return now >= next_look_; }
    [[nodiscard]] Time next_look() const { return next_look_; }
    [[nodiscard]] bool may_sleep(Time now) const;

private:
    milliseconds wait_{1};
    Time quiet_since_{};
    Time next_look_{};
};

} // namespace outbox::relay
