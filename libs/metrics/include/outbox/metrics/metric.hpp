#pragma once

#include <array>
#include <span>
#include <string_view>

namespace outbox::metrics {

/// What a metric's value means.
enum class Type { counter, gauge, histogram };

/// "counter"
std::string_view name_of(Type type);

/// Upper bounds of durations, in seconds.
inline constexpr std::array<double, 16> duration_buckets{0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25,
                                                         0.5,   1,      2.5,   5,    10,    30,   60,  300};
/// Upper bounds of numbers of events.
inline constexpr std::array<double, 10> size_buckets{1, 10, 50, 100, 500, 1000, 2500, 5000, 10000, 50000};

/// One metric, as it is written and explained. Every one is a constant of all_metrics.hpp.
struct Metric {
    std::string_view name;
    Type type = Type::gauge;
    std::string_view labels =
        {}; ///< beside `outbox`: "shard", or "outcome=sent|failed" where values are known
    std::string_view help;
    std::span<const double> buckets = {}; ///< of a histogram: ascending, without infinity
};

} // namespace outbox::metrics
