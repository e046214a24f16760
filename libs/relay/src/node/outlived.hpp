#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/relay/observer.hpp>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace outbox::relay {

/// Counts events that are older than their topic keeps records, and so are sent with the time of sending, and
/// tells of them: once a topic, at most every ten seconds. Thread-safe.
class Outlived {
public:
    /// @param observer  outlives it
    explicit Outlived(Observer& observer) : observer_(observer) {}

    void add(const std::string& topic, std::int64_t events);

    /// Tells what has been counted since the last time, when it is time to.
    void tell(SteadyClock::time_point now);
    /// Tells what has not been told yet.
    void tell_all();

private:
    Observer& observer_;
    std::mutex mutex_;
    std::map<std::string, std::int64_t> untold_;
    std::int64_t total_ = 0;
    SteadyClock::time_point next_tell_{};
};

} // namespace outbox::relay
