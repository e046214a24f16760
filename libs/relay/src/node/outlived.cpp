#include "node/outlived.hpp"

#include <utility>

namespace outbox::relay {
namespace {

constexpr std::chrono::seconds pause{10};
constexpr std::size_t most_topics = 20; // named; writers may use any number of them

} // namespace

void Outlived::add(const std::string& topic, std::int64_t events) {
    const std::lock_guard lock(mutex_);
    const bool named = untold_.contains(topic) || untold_.size() < most_topics;
    untold_[named ? topic : "(others)"] += events;
    total_ += events;
}

void Outlived::tell(SteadyClock::time_point now) {
    {
        const std::lock_guard lock(mutex_);
        if (untold_.empty() || now < next_tell_) {
            return;
        }
        next_tell_ = now + pause;
    }
    tell_all();
}

void Outlived::tell_all() {
    const std::lock_guard lock(mutex_);
    for (const auto& [topic, events] : std::exchange(untold_, {})) {
        observer_.outlived({topic, events, total_});
    }
}

} // namespace outbox::relay
