#pragma once

#include <outbox/core/uuid.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace outbox::verbs {

/// The newest manifest of one outbox in one control partition.
struct ControlEnd {
    int shard = 0;
    std::int64_t batch = 0;
    std::int64_t offset = -1;
    std::int64_t epoch = 0;       ///< the largest of the partition's
    std::int64_t largest_seq = 0; ///< that a manifest of the partition names
};

/// Where the control topic ends, shard by shard.
struct ControlEnds {
    std::vector<ControlEnd> ours;
    std::optional<Uuid> foreign; ///< another outbox whose manifests stand there as well
};

/// The outbox that was first to use a name.
struct Holder {
    Uuid outbox_id;
    std::string told; ///< one phrase for people
};

/// A committed record.
struct SeenRecord {
    enum class Kind {
        event,
        dead_letter,
        replay ///< of outbox-backfill
    };

    std::optional<Uuid> id; ///< of the event; nullopt: the record names none
    Kind kind = Kind::event;
    std::int32_t partition = 0;
    std::int64_t offset = 0;
};

/// What there is of a topic.
struct TopicExtent {
    bool exists = false;
    bool whole = false;   ///< it still has all that it ever had
    bool written = false; ///< it ever had anything
};

/// What adopt and reconcile ask of Kafka. Every call may throw outbox::Error.
class Cluster {
public:
    virtual ~Cluster() = default;

    /// The id of the cluster that answers. @throws Error when no broker does
    virtual std::string id() = 0;
    /// Which outbox the name belongs to, and what else is known of it; nullopt: nobody uses it.
    virtual std::optional<Holder> holder() = 0;
    /// Of every partition of the control topic that holds one; none when there is no such topic.
    virtual ControlEnds control_ends(const Uuid& outbox_id) = 0;
    /// Aborts the transactions that relays of this outbox have left open, and waits for those that are
    /// ending.
    /// @param slots  under whose ids they were begun @param shards  and before there were slots
    virtual void end_transactions(const Uuid& outbox_id, const std::vector<int>& slots,
                                  const std::vector<int>& shards) = 0;
    /// Where relays send an event, by RELAY_TOPIC_TEMPLATE. @return nullopt when that is no topic's name
    virtual std::optional<std::string> topic_of(const std::string& topic, const std::string& aggregate_type,
                                                const std::string& event_type) = 0;
    /// Every committed record of a topic.
    virtual TopicExtent read_topic(const std::string& topic,
                                   const std::function<void(const SeenRecord&)>& seen) = 0;
};

} // namespace outbox::verbs
