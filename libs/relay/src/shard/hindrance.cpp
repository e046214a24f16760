// Since when a shard does not get on. What fails again and again, with a moment of work in between,
// counts as one trouble from its beginning; only a second of undisturbed work ends it. Troubles shorter
// than a second are not worth a word.

#include "shard/hindrance.hpp"

namespace outbox::relay {
namespace {

using namespace std::chrono_literals;

constexpr auto worth_a_word = 1s;   ///< a takeover or a deadlock is over by then
constexpr auto works_for_good = 1s; ///< what fails at each claim fails sooner
constexpr auto slow_for = 60s;      ///< after it was said

} // namespace

/// Whether the shard has worked for long enough since to call the trouble over. @pre mutex_ is held
bool Hindrance::outlived(Time now) const {
    return works_since_ && pass_since_.value_or(now) - *works_since_ >= works_for_good;
}

void Hindrance::met(const std::string& why, Time now) {
    const std::lock_guard lock(mutex_);
    if (why_.empty() || outlived(now)) {
        since_ = now;
    }
    works_since_.reset();
    pass_since_.reset();
    why_ = why;
}

void Hindrance::works(Time now) {
    const std::lock_guard lock(mutex_);
    if (!works_since_) {
        works_since_ = now;
    }
    pass_since_ = now;
}

void Hindrance::rests() {
    const std::lock_guard lock(mutex_);
    pass_since_.reset();
}

void Hindrance::over() {
    const std::lock_guard lock(mutex_);
    why_.clear();
}

void Hindrance::limps(const std::string& why, Time now) {
    const std::lock_guard lock(mutex_);
    if (part_.empty()) {
        part_since_ = now;
    }
    part_ = why;
}

void Hindrance::walks() {
    const std::lock_guard lock(mutex_);
    part_.clear();
}

void Hindrance::slows(const std::string& why, Time now) {
    const std::lock_guard lock(mutex_);
    if (slow_.empty() || now - slow_said_ > slow_for) {
        slow_since_ = now;
    }
    slow_ = why;
    slow_said_ = now;
}

std::optional<Hindrance::Told> Hindrance::slow(Time now) const {
    const std::lock_guard lock(mutex_);
    if (slow_.empty() || now - slow_said_ > slow_for) {
        return std::nullopt;
    }
    return Told{slow_, std::chrono::duration_cast<milliseconds>(now - slow_since_)};
}

std::optional<Hindrance::Told> Hindrance::told(Time now) const {
    const std::lock_guard lock(mutex_);
    const bool whole = why_.empty() || outlived(now) || now - since_ < worth_a_word;
    if (whole && !part_.empty() && now - part_since_ >= worth_a_word) {
        return Told{part_, std::chrono::duration_cast<milliseconds>(now - part_since_)};
    }
    if (why_.empty() || outlived(now) || now - since_ < worth_a_word) {
        return std::nullopt;
    }
    return Told{why_, std::chrono::duration_cast<milliseconds>(now - since_)};
}

} // namespace outbox::relay
