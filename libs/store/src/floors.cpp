// How far claims need not look while topics are left out.
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

std::set<std::string> ShardStore::writers() {
    const Result found = connection_.run(sql::find_writers, {}, Deadline::in(timeout_));
    std::set<std::string> writers;
    for (int i = 0; i < found.rows(); ++i) {
        writers.insert(found.text(i, 0));
    }
    return writers;
}

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
