#pragma once

#include "options.hpp"

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace load {

/// Makes UUIDs; those of one maker rise when they are time-ordered.
class Ids {
public:
    explicit Ids(bool time_ordered) : time_ordered_(time_ordered) {}
    [[nodiscard]] std::string next();

private:
    std::mt19937_64 random_{std::random_device{}()};
    bool time_ordered_;
    std::uint64_t last_ = 0; ///< milliseconds and a 12-bit count within them
};

struct Event {
    std::string id;
    std::string aggregate_id;
    std::string partition_key; ///< empty: NULL
    std::string_view topic;
    std::string data;
};

/// Draws the events of one writer: keys k with k % writers == writer, each with a counter n.
class Events {
public:
    Events(const Options& options, std::uint64_t writer);

    /// The counters go on only with advance(), so a batch that is rolled back leaves no gap in n.
    [[nodiscard]] std::vector<Event> draw(std::uint64_t count);
    void advance();

private:
    [[nodiscard]] Event make(std::uint64_t slot, std::uint64_t n);
    [[nodiscard]] std::string data_of(std::string_view key, std::uint64_t n);

    const Options& options_;
    std::uint64_t writer_;
    Ids ids_;
    std::mt19937_64 random_{std::random_device{}()};
    std::vector<std::uint64_t> committed_; ///< n of each key's newest committed event
    std::vector<std::uint64_t> drawn_;
    std::vector<std::uint64_t> touched_;
    std::string noise_; ///< what pads event_data; not compressible
};

/// Text form of a one-dimensional array, every element quoted; an empty element becomes NULL when asked.
[[nodiscard]] std::string array_of(const std::vector<std::string_view>& elements, bool empty_is_null = false);

/// One line of COPY ... FROM STDIN in its text format.
[[nodiscard]] std::string copy_line(const Event& event);

} // namespace load
