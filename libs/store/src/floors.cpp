// How far claims need not look while topics are left out. A million events of a parked topic at the
// head of the index would be walked over by every claim, so now and then it is looked how far they
// reach. The floor may rise to a number only when nothing can appear below it any more: numbers are
// given out before COMMIT, so every writer that was under way at the moment of the look must have ended
// first.
#include "outbox/store/floors.hpp"

#include "outbox/store/shard.hpp"
#include "outbox/store/texts.hpp"

#include <outbox/store/sql/floors.hpp>

namespace outbox::store {
namespace {

using postgres::Result;

/// Rows of a bucket that one look walks over.
constexpr std::int64_t most_walked = 20'000;

} // namespace

/// Transactions that have written to outbox_events and have not ended.
std::set<std::string> ShardStore::writers() {
    const Result found = connection_.run(sql::find_writers, {}, Deadline::in(timeout_));
    std::set<std::string> writers;
    for (int i = 0; i < found.rows(); ++i) {
        writers.insert(found.text(i, 0));
    }
    return writers;
}

/// Two moments are needed. At the first the last number and the writers are noted; at a later one, when
/// those writers have ended, floors may rise up to that number.
void ShardStore::skip_parked(std::span<const std::string> parked_topics) {
    floors_.leave_out(parked_topics);
    const std::int64_t last = connection_.run(sql::last_seq, {}, Deadline::in(timeout_)).integer(0, 0);
    if (horizon_ && last < horizon_->seq) { // numbering began anew
        floors_.clear();
        horizon_.reset();
    }
    auto now = writers();
    if (horizon_ && horizon_->settled(now)) {
        const Result found = connection_.run(sql::find_floors,
                                             {bucket_array_, numbers(floors_.of(buckets_in_order_)),
                                              texts(parked_topics), horizon_->seq, most_walked},
                                             Deadline::in(timeout_));
        for (int i = 0; i < found.rows(); ++i) {
            floors_.raise(static_cast<int>(found.integer(i, 0)), found.integer(i, 1));
        }
        horizon_.reset();
    }
    if (!horizon_) {
        horizon_ = Horizon{last, std::move(now)};
    }
}

void ShardStore::forget_skipped() {
    floors_.clear();
}

} // namespace outbox::store
