#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::store {

/// Numbers of events, both ends included.
struct SeqRange {
    std::int64_t first = 0;
    std::int64_t last = 0;

    bool operator==(const SeqRange&) const = default;
};

/// Apart from each other, in ascending order.
using SeqRanges = std::vector<SeqRange>;

/// As PostgreSQL writes an int8multirange: "{[1,5),[8,9)}". @throws std::invalid_argument for any other text
SeqRanges parse_ranges(std::string_view text);
/// The text that parse_ranges() reads, for a parameter of a statement.
std::string ranges_text(const SeqRanges& ranges);

/// Those that hold a number above `after` and up to `upto`.
SeqRanges ranges_within(const SeqRanges& ranges, std::int64_t after, std::int64_t upto);

} // namespace outbox::store
