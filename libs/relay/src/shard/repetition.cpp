#include "shard/repetition.hpp"

#include <algorithm>

namespace outbox::relay {
namespace {

constexpr std::chrono::seconds first_pause{10};
constexpr std::chrono::minutes longest_pause{10};

/// Offsets, ports and seconds change from line to line, and the reason stays the same.
std::string without_digits(std::string text) {
    std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
    return text;
}

} // namespace

bool Repetition::worth_saying(const std::string& reason, SteadyClock::time_point now) {
    auto words = without_digits(reason);
    if (words == said_ && now < next_) {
        return false;
    }
    pause_ = words == said_ ? std::min<SteadyClock::duration>(pause_ * 2, longest_pause) : first_pause;
    next_ = now + pause_;
    said_ = std::move(words);
    return true;
}

} // namespace outbox::relay
