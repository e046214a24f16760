// Topics that events were sent to, and markers that brokers lost. A broker that loses a transaction's
// marker leaves the partition open for read_committed consumers although the transaction is decided.
// What was lost is written down under the shard's guard, so that whoever owns the shard later writes it
// again.

#include "outbox/store/shard.hpp"

#include <outbox/store/sql/lost_markers.hpp>

namespace outbox::store {
namespace {

using postgres::Result;

} // namespace

std::vector<std::string> ShardStore::topics() {
    const Result found = connection_.run(sql::read_topics, {}, Deadline::in(timeout_));
    std::vector<std::string> names;
    for (int i = 0; i < found.rows(); ++i) {
        names.push_back(found.text(i, 0));
    }
    return names;
}

void ShardStore::note_topic(const std::string& topic) {
    connection_.run(sql::add_topic, {topic}, Deadline::in(timeout_));
}

std::vector<LostMarker> ShardStore::lost_markers() {
    const Result found = connection_.run(sql::read_lost, {shard_}, Deadline::in(timeout_));
    std::vector<LostMarker> markers;
    for (int i = 0; i < found.rows(); ++i) {
        markers.push_back({found.text(i, 0), static_cast<std::int32_t>(found.integer(i, 1)),
                           found.integer(i, 2), found.integer(i, 3), found.boolean(i, 4)});
    }
    return markers;
}

void Turn::note_lost(std::span<const LostMarker> markers) {
    written_ = true;
    for (const LostMarker& marker : markers) {
        transaction_.run(sql::add_lost, {store_.shard_, marker.topic, marker.partition, marker.producer_id,
                                         marker.start_offset, marker.committed ? "t" : "f"});
    }
}

void Turn::forget_lost(std::span<const LostMarker> markers) {
    written_ = true;
    for (const LostMarker& marker : markers) {
        transaction_.run(sql::remove_lost,
                         {store_.shard_, marker.topic, marker.partition, marker.producer_id});
    }
}

} // namespace outbox::store
