#include "outbox/backfill/pace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace outbox::backfill {
namespace {

using Seconds = std::chrono::duration<double>;

constexpr std::chrono::seconds memory{10};

} // namespace

/// Time that passed unused is lost: after a pause the rate does not burst.
void RateLimiter::spend(std::size_t events, SteadyClock::time_point now) {
    if (rate_) {
        next_ = std::max(next_, now) + std::chrono::duration_cast<SteadyClock::duration>(Seconds(
                                           static_cast<double>(events) / static_cast<double>(*rate_)));
    }
}

std::size_t RateLimiter::portion(std::size_t most) const noexcept {
    constexpr std::int64_t in_a_second = 5;
    return rate_ ? static_cast<std::size_t>(
                       std::clamp<std::int64_t>(*rate_ / in_a_second, 1, static_cast<std::int64_t>(most)))
                 : most;
}

Progress::Progress(std::int64_t total, std::int64_t done, SteadyClock::time_point now)
    : total_(total),
      samples_{{now, done}} {}

/// The oldest sample is as old as the memory at most, so the speed shown is that of the last ten
/// seconds.
void Progress::update(std::int64_t done, SteadyClock::time_point now) {
    samples_.push_back({now, done});
    while (samples_.size() > 2 && now - samples_[1].at >= memory) {
        samples_.pop_front();
    }
}

double Progress::rate() const noexcept {
    const double span = Seconds(samples_.back().at - samples_.front().at).count();
    return span > 0 ? static_cast<double>(samples_.back().done - samples_.front().done) / span : 0;
}

int Progress::percent() const noexcept {
    return total_ > 0 ? static_cast<int>(std::min<std::int64_t>(100, samples_.back().done * 100 / total_))
                      : 100;
}

std::string Progress::line() const {
    const std::int64_t left = std::max<std::int64_t>(0, total_ - samples_.back().done);
    const double speed = rate();
    std::string text = fmt::format("{} of {} events ({} %), {:.0f} events/s", samples_.back().done, total_,
                                   percent(), speed);
    if (left > 0 && speed > 0) {
        text += fmt::format(", {} left", duration_text(static_cast<double>(left) / speed));
    }
    return text;
}

std::string Progress::bar() const {
    constexpr int width = 20;
    const int full = percent() * width / 100;
    return fmt::format("[{:#<{}}{:-<{}}] {}", "", full, "", width - full, line());
}

std::string duration_text(double seconds) {
    constexpr std::int64_t minute = 60;
    constexpr std::int64_t hour = 3600;
    const std::int64_t whole = std::llround(seconds);
    if (whole >= hour) {
        return fmt::format("{} h {} min", whole / hour, whole % hour / minute);
    }
    return whole >= minute ? fmt::format("{} min {} s", whole / minute, whole % minute)
                           : fmt::format("{} s", whole);
}

} // namespace outbox::backfill
