// Buckets with a row that the database does not let us change. Such a row can be neither sent nor given
// up, and its key cannot go on without it, so its bucket waits and all others go on. It is tried again
// every two seconds, because a trigger or a constraint is mended without anybody telling us.

#include "shard/refused_rows.hpp"

#include <outbox/core/event.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace outbox::relay {
namespace {

constexpr std::chrono::seconds tried_again{2};

} // namespace

void RefusedRows::reset() {
    buckets_.clear();
    tried_ = true;
}

RefusedRows::Word RefusedRows::leave_out(std::span<const store::UnreadableRow> rows, Time now) {
    for (const store::UnreadableRow& row : rows) {
        buckets_.insert(row.bucket);
    }
    next_try_ = now + tried_again;
    const store::UnreadableRow& first = rows.front();
    Word word;
    word.why =
        fmt::format("event {} of outbox_events (seq {}) cannot be changed, so it waits with all keys of its "
                    "bucket ({} of the {} buckets wait): {}",
                    first.id.to_string(), first.seq, buckets_.size(), bucket_count, first.why);
    word.worth_saying = said_.worth_saying(word.why, now);
    return word;
}

bool RefusedRows::try_again(Time now) {
    if (buckets_.empty() || now < next_try_) {
        return false;
    }
    buckets_.clear();
    tried_ = true;
    return true;
}

std::optional<milliseconds> RefusedRows::until_tried(Time now) const {
    if (buckets_.empty()) {
        return std::nullopt;
    }
    return std::max(std::chrono::ceil<milliseconds>(next_try_ - now), milliseconds(0));
}

bool RefusedRows::over() {
    return std::exchange(tried_, false) && buckets_.empty();
}

} // namespace outbox::relay
