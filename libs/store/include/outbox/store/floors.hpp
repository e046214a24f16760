#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace outbox::store {

/// Where claims begin in each bucket while some topics are left out: a million rows of a parked topic at the
/// head of the index must not be walked over by each claim. Nothing else is ready below a floor, and nothing
/// will appear there: every writer that may have got such a number has ended. No I/O.
class Floors {
public:
    /// Topics that are left out now. Of one that no longer is rows may lie below every floor: all begin anew.
    void leave_out(std::span<const std::string> topics) {
        std::set<std::string> now(topics.begin(), topics.end());
        for (const std::string& topic : topics_) {
            if (!now.contains(topic)) {
                clear();
                break;
            }
        }
        topics_ = std::move(now);
    }
    /// Everything up to `seq` is left out in this bucket; a floor never sinks by this.
    void raise(int bucket, std::int64_t seq) { floors_[bucket] = std::max(floor_of(bucket), seq); }
    /// A row becomes ready again.
    void lower(int bucket, std::int64_t seq) {
        if (const auto found = floors_.find(bucket); found != floors_.end()) {
            found->second = std::min(found->second, seq - 1);
        }
    }
    /// Every bucket begins at its head again.
    void clear() { floors_.clear(); }

    /// The largest number up to which nothing is ready; the lowest there is where nobody has looked
    /// yet.
    [[nodiscard]] std::int64_t floor_of(int bucket) const {
        const auto found = floors_.find(bucket);
        return found == floors_.end() ? lowest : found->second;
    }
    /// The floors of several buckets, in their order, as a statement takes them.
    [[nodiscard]] std::vector<std::int64_t> of(std::span<const int> buckets) const {
        std::vector<std::int64_t> floors;
        for (const int bucket : buckets) {
            floors.push_back(floor_of(bucket));
        }
        return floors;
    }

private:
    /// Numbers are what the sequence was told to give.
    static constexpr std::int64_t lowest = std::numeric_limits<std::int64_t>::min();

    std::set<std::string> topics_;
    std::map<int, std::int64_t> floors_;
};

/// A number below which nothing appears any more once the writers of its moment have ended.
struct Horizon {
    std::int64_t seq = 0;
    std::set<std::string> writers; ///< virtual transactions

    /// @param now  the writers of a later moment. Of a prepared transaction its old name says nothing.
    [[nodiscard]] bool settled(const std::set<std::string>& now) const {
        for (const std::string& writer : now) {
            if (writer.starts_with("-1/") || writers.contains(writer)) {
                return false;
            }
        }
        return true;
    }
};

} // namespace outbox::store
