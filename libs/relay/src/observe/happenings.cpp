#include "outbox/relay/happenings.hpp"

#include <outbox/delivery/batch.hpp>

#include <array>

namespace outbox::relay {

/// In the order of the enumeration.
std::string_view name_of(ShardState state) {
    constexpr std::array<std::string_view, 10> names{"unowned", "fencing", "reading",   "settling",
                                                     "working", "resting", "releasing", "backing_off",
                                                     "stopped", "ended"};
    return names.at(static_cast<std::size_t>(state));
}

namespace happened {
namespace {

/// Infinity, and what lies beyond the clock, is no moment.
std::optional<Moment> moment_of(const std::optional<std::int64_t>& us) {
    constexpr std::int64_t most = std::int64_t{9'000'000'000} * 1'000'000;
    if (!us || *us <= -most || *us >= most) {
        return std::nullopt;
    }
    return Moment(std::chrono::microseconds(*us));
}

} // namespace

std::string_view name_of(Outcome outcome) {
    constexpr std::array<std::string_view, 3> names{"committed", "aborted", "unknown"};
    return names.at(static_cast<std::size_t>(outcome));
}

std::size_t Events::size() const {
    return batch_.claimed.rows.size();
}

/// A view of a row and its record. The texts in it are the batch's, which lives until the call has
/// returned.
Event Events::operator[](std::size_t index) const {
    const store::Row& row = batch_.claimed.rows[index];
    const kafka::Record& record = batch_.records[index];
    return {row.id,
            row.seq,
            record.topic,
            record.partition,
            record.key,
            row.headers,
            moment_of(row.created_at_us),
            row.retry_count + 1,
            batch_.dead_letters.contains(row.seq)};
}

} // namespace happened
} // namespace outbox::relay
