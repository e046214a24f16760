#pragma once

#include <outbox/core/deadline.hpp>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

namespace outbox::backfill {

/// At most so many events a second. What was not used is not saved up. Pure; the caller brings the time.
class RateLimiter {
public:
    explicit RateLimiter(std::optional<std::int64_t> events_per_second) : rate_(events_per_second) {}

    /// Whether the next events may go.
    [[nodiscard]] bool open(SteadyClock::time_point now) const noexcept { return now >= next_; }
    [[nodiscard]] SteadyClock::time_point opens_at() const noexcept { return next_; }
    /// So many events went now; the next wait follows from them.
    void spend(std::size_t events, SteadyClock::time_point now);
    /// Events that go at once: a fifth of a second's, so that the rate holds within the second.
    [[nodiscard]] std::size_t portion(std::size_t most) const noexcept;

private:
    std::optional<std::int64_t> rate_;
    SteadyClock::time_point next_{};
};

/// How fast a run goes and how long it still takes. Pure; the caller brings the time.
class Progress {
public:
    Progress(std::int64_t total, std::int64_t done, SteadyClock::time_point now);

    /// So many are done by now.
    void update(std::int64_t done, SteadyClock::time_point now);

    [[nodiscard]] bool complete() const noexcept { return samples_.back().done >= total_; }
    [[nodiscard]] double rate() const noexcept; ///< events a second, of the last ten seconds
    /// "12000 of 50000 events (24 %), 8000 events/s, 5 s left"
    [[nodiscard]] std::string line() const;
    /// "[#####---------------] 12000 of ..."
    [[nodiscard]] std::string bar() const;

private:
    struct Sample {
        SteadyClock::time_point at;
        std::int64_t done;
    };

    [[nodiscard]] int percent() const noexcept;

    std::int64_t total_;
    std::deque<Sample> samples_;
};

/// "5 s", "3 min 20 s", "2 h 5 min"
std::string duration_text(double seconds);

} // namespace outbox::backfill
