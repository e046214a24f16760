// Topics that events were sent to, and markers that brokers lost. A broker that loses a transaction's
// marker leaves the partition open for read_committed consumers although the transaction is decided.
// What was lost is written down under the shard's guard, so that whoever owns the shard later writes it
// again.

#include "outbox/store/shard.hpp"

#include <outbox/store/sql/lost_markers.hpp>

namespace outbox::store {
namespace {

using postgres::Result;
using postgres::Transaction;

/// As the table has them: a slot's "p0" is -1, "p1" is -2; a shard's own "3" is 3.
int holder(const std::string& ids) {
    return ids.starts_with("p") ? -1 - std::stoi(ids.substr(1)) : std::stoi(ids);
}

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

std::vector<LostMarker> ShardStore::lost_markers(const std::string& ids) {
    const Result found = connection_.run(sql::read_lost, {holder(ids)}, Deadline::in(timeout_));
    std::vector<LostMarker> markers;
    for (int i = 0; i < found.rows(); ++i) {
        markers.push_back({found.text(i, 0), static_cast<std::int32_t>(found.integer(i, 1)),
                           found.integer(i, 2), found.integer(i, 3), found.boolean(i, 4)});
    }
    return markers;
}

void ShardStore::note_lost(const std::string& ids, std::span<const LostMarker> markers) {
    Transaction transaction(connection_, Deadline::in(timeout_));
    for (const LostMarker& marker : markers) {
        transaction.run(sql::add_lost, {holder(ids), marker.topic, marker.partition, marker.producer_id,
                                        marker.start_offset, marker.committed ? "t" : "f"});
    }
    transaction.commit();
}

void ShardStore::forget_lost(const std::string& ids, std::span<const LostMarker> markers) {
    Transaction transaction(connection_, Deadline::in(timeout_));
    for (const LostMarker& marker : markers) {
        transaction.run(sql::remove_lost, {holder(ids), marker.topic, marker.partition, marker.producer_id});
    }
    transaction.commit();
}

} // namespace outbox::store
