#include "outbox/store/shard.hpp"
#include "outbox/store/sql.hpp"

namespace outbox::store {
namespace {

using postgres::Result;
using postgres::Statement;

constexpr Statement read_topics{"outbox_read_topics", "SELECT topic FROM outbox_topics ORDER BY topic"};

constexpr Statement add_topic{"outbox_add_topic",
                              "INSERT INTO outbox_topics (topic) VALUES ($1) ON CONFLICT DO NOTHING"};

constexpr Statement read_lost{
    "outbox_read_lost",
    "SELECT topic, partition, producer_id, start_offset, committed FROM outbox_lost_markers"
    " WHERE shard = $1 ORDER BY topic, partition, producer_id"};

constexpr Statement add_lost{"outbox_add_lost",
                             "INSERT INTO outbox_lost_markers"
                             " (shard, topic, partition, producer_id, start_offset, committed)"
                             " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING"};

constexpr Statement remove_lost{"outbox_remove_lost",
                                "DELETE FROM outbox_lost_markers"
                                " WHERE shard = $1 AND topic = $2 AND partition = $3 AND producer_id = $4"};

} // namespace

std::vector<std::string> ShardStore::topics() {
    const Result found = connection_.run(read_topics, {}, Deadline::in(timeout_));
    std::vector<std::string> names;
    for (int i = 0; i < found.rows(); ++i) {
        names.push_back(found.text(i, 0));
    }
    return names;
}

void ShardStore::note_topic(const std::string& topic) {
    connection_.run(add_topic, {topic}, Deadline::in(timeout_));
}

std::vector<LostMarker> ShardStore::lost_markers() {
    const Result found = connection_.run(read_lost, {shard_}, Deadline::in(timeout_));
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
        transaction_.run(add_lost, {store_.shard_, marker.topic, marker.partition, marker.producer_id,
                                    marker.start_offset, marker.committed ? "t" : "f"});
    }
}

void Turn::forget_lost(std::span<const LostMarker> markers) {
    written_ = true;
    for (const LostMarker& marker : markers) {
        transaction_.run(remove_lost, {store_.shard_, marker.topic, marker.partition, marker.producer_id});
    }
}

} // namespace outbox::store
