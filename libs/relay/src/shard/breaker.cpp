// How long a shard waits before it recovers again, and when it must not go on: two owners of one name
// fence each other, each recovery of one is a failure of the other, and without a limit that never
// ends.

#include "shard/breaker.hpp"

#include <outbox/faults/faults.hpp>

namespace outbox::relay {
namespace {

constexpr std::size_t most_fencings = 3;
constexpr std::chrono::minutes fencings_count_for{1};
const delivery::Backoff recovery_wait(milliseconds(50), milliseconds(500));
const delivery::Backoff mending_wait(milliseconds(200), milliseconds(2'000));
const delivery::Backoff refused_wait(milliseconds(1'000), milliseconds(60'000));

} // namespace

/// By what the last failure was: what passes soon, what somebody has to mend, and what counts failed
/// logins.
milliseconds Breaker::wait(double dice) const {
    switch (cause_) {
    case Cause::asks_for_a_hand:
        return mending_wait.after(failures_, dice);
    case Cause::refused:
        return refused_wait.after(failures_, dice);
    case Cause::passes:
        break;
    }
    return recovery_wait.after(failures_, dice);
}

bool Breaker::fenced_too_often(Time now) {
    fencings_.push_back(now);
    while (fencings_.front() + fencings_count_for < now) {
        fencings_.pop_front();
    }
    return fencings_.size() > most_fencings && faults::cure("fencing-limit");
}

} // namespace outbox::relay
