#pragma once

#include <outbox/core/deadline.hpp>

#include <cstdint>
#include <map>
#include <mutex>
#include <string>

namespace outbox::relay {

/// Counts events that are older than their topic keeps records, and so are sent with the time of sending, and
/// says so in the log: a line a topic, at most every ten seconds. Thread-safe.
class Outlived {
public:
    void add(const std::string& topic, std::int64_t events);

    /// Says what has been counted since the last time, when it is time to.
    void tell(SteadyClock::time_point now);
    /// Says what has not been said yet.
    void tell_all();

private:
    std::mutex mutex_;
    std::map<std::string, std::int64_t> untold_;
    std::int64_t total_ = 0;
    SteadyClock::time_point next_tell_{};
};

} // namespace outbox::relay
