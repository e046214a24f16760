#include "outbox/store/seq_ranges.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <stdexcept>

namespace outbox::store {
namespace {

/// Takes what it expects off a text.
class Reader {
public:
    explicit Reader(std::string_view text) : rest_(text) {}

    bool take(char expected) {
        const bool found = rest_.starts_with(expected);
        rest_.remove_prefix(found ? 1 : 0);
        return found;
    }
    void need(char expected) {
        if (!take(expected)) {
            throw std::invalid_argument("not a multirange of whole numbers");
        }
    }
    std::int64_t number() {
        std::int64_t value = 0;
        const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), value);
        if (error != std::errc{}) {
            throw std::invalid_argument("not a multirange of whole numbers");
        }
        rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
        return value;
    }

private:
    std::string_view rest_;
};

} // namespace

SeqRanges parse_ranges(std::string_view text) {
    SeqRanges ranges;
    Reader in(text);
    in.need('{');
    while (!in.take('}')) {
        if (!ranges.empty()) {
            in.need(',');
        }
        in.need('[');
        SeqRange range;
        range.first = in.number();
        in.need(',');
        range.last = in.number() - 1;
        in.need(')');
        ranges.push_back(range);
    }
    return ranges;
}

std::string ranges_text(const SeqRanges& ranges) {
    std::string text = "{";
    for (const auto& [first, last] : ranges) {
        fmt::format_to(std::back_inserter(text), "{}[{},{}]", text.size() > 1 ? "," : "", first, last);
    }
    return text + '}';
}

/// By halving: a long-lived outbox may have thousands of ranges, and each page asks.
SeqRanges ranges_within(const SeqRanges& ranges, std::int64_t after, std::int64_t upto) {
    const auto begin = std::ranges::lower_bound(ranges, after + 1, {}, &SeqRange::last);
    const auto end = std::ranges::upper_bound(ranges, upto, {}, &SeqRange::first);
    return begin < end ? SeqRanges(begin, end) : SeqRanges();
}

} // namespace outbox::store
