#pragma once

#include <outbox/core/uuid.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace outbox::verbs {

/// The newest manifest of one control partition.
struct ControlEnd {
    int shard = 0;
    Uuid outbox_id;
    std::int64_t batch = 0;
    std::int64_t offset = -1;
    std::int64_t epoch = 0;       ///< the largest of the partition's
    std::int64_t largest_seq = 0; ///< that a manifest of the partition names
};

/// A committed record with a `ce_id` that is a UUID.
struct SeenEvent {
    Uuid id;
    std::int32_t partition = 0;
    std::int64_t offset = 0;
};

/// What adopt and reconcile ask of Kafka. Every call may throw outbox::Error.
class Cluster {
public:
    virtual ~Cluster() = default;

    virtual std::string id() = 0;
    /// Of every partition of the control topic that holds one; none when there is no such topic.
    virtual std::vector<ControlEnd> control_ends() = 0;
    /// Aborts the transactions that relays of this outbox have left open, and waits for those that are
    /// ending.
    virtual void end_transactions(const Uuid& outbox_id, const std::vector<int>& shards) = 0;
    /// Every committed event of a topic. @return whether the topic still has all that it ever had
    virtual bool read_events(const std::string& topic, const std::function<void(const SeenEvent&)>& seen) = 0;
};

} // namespace outbox::verbs
