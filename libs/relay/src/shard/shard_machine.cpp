#include "shard/shard_machine.hpp"

#include <algorithm>
#include <utility>

namespace outbox::relay {
namespace {

constexpr milliseconds longest_wait{10};
constexpr milliseconds quiet_before_sleep{300};

} // namespace

void ShardMachine::heed(const Wishes& wishes) {
    // One that owns the shard still settles what it left; the node's drain sets the limit.
    const bool needless = state_ == ShardState::stopped || (state_ == ShardState::unowned && !owner_);
    if (wishes.release && needless) {
        state_ = ShardState::ended;
    }
}

void ShardMachine::done() {
    switch (state_) {
    case ShardState::unowned:
        owner_ = true;
        state_ = ShardState::fencing;
        break;
    case ShardState::fencing:
        state_ = ShardState::reading;
        break;
    case ShardState::reading:
        state_ = ShardState::settling;
        break;
    case ShardState::settling:
    case ShardState::resting:
        state_ = ShardState::working;
        break;
    case ShardState::backing_off:
        state_ = ShardState::unowned;
        break;
    case ShardState::releasing:
        lost();
        break;
    case ShardState::working:
    case ShardState::stopped:
    case ShardState::ended:
        break;
    }
}

void ShardMachine::lost() {
    owner_ = false;
    state_ = ShardState::ended;
}

void ShardMachine::failed() {
    state_ = ShardState::backing_off;
}

void ShardMachine::again() {
    state_ = ShardState::unowned;
}

void ShardMachine::stop() {
    state_ = ShardState::stopped;
}

void ShardMachine::resume() {
    if (state_ == ShardState::stopped) {
        failed();
    }
}

Pass ShardMachine::plan_pass(const InHand& hand, bool look_due) {
    Pass pass;
    pass.mark = hand.proven;
    pass.claim = !hand.ready && !hand.alone && look_due;
    pass.peek_first = pass.claim && hand.nothing();
    return pass;
}

void ShardMachine::pass_ended(bool in_hand, const Wishes& wishes) {
    if (in_hand || (state_ != ShardState::working && state_ != ShardState::resting)) {
        return;
    }
    if (wishes.release || wishes.hand_over) {
        state_ = ShardState::releasing;
    } else {
        state_ = wishes.pause ? ShardState::resting : ShardState::working;
    }
}

void Pace::busy(Time now) {
    wait_ = milliseconds(1);
    quiet_since_ = now;
}

milliseconds Pace::wait() {
    return std::exchange(wait_, std::min(wait_ * 2, longest_wait));
}

bool Pace::may_sleep(Time now) const {
    return now - quiet_since_ >= quiet_before_sleep;
}

} // namespace outbox::relay
