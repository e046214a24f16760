#pragma once

#include "shard/patience.hpp"
#include "shard/recovery_plan.hpp"

#include <outbox/core/error.hpp>
#include <outbox/kafka/control_reader.hpp>
#include <outbox/store/shard_database.hpp>

#include <memory>
#include <string>
#include <vector>

namespace outbox::relay {

/// A coordinator does not get on with the end of a transaction, as while one of its topics has too few
/// replicas.
class StuckTransaction : public Error {
public:
    using Error::Error;
};

/// Ends transactions that Kafka decided and then forgot to end in some partitions (docs/decisions/0010).
/// note() comes before the lanes are initialised, because the coordinator forgets the outcome
/// there; write() comes after it, because nobody else can begin a transaction then.
class Markers {
public:
    Markers() = default;
    Markers(const Markers&) = delete;
    Markers& operator=(const Markers&) = delete;
    virtual ~Markers() = default;

    /// Waits until the lanes' last transactions are decided, and writes down the outcome of those that some
    /// partition still waits for. @throws KafkaError; StuckTransaction
    virtual void note() = 0;

    /// Writes the markers that were noted. @return topics that must wait: a partition has no leader to ask
    /// @throws KafkaError; Contradiction when an open transaction was not noted
    virtual std::vector<std::string> write() = 0;
};

/// What the loop of a pipeline asks of Kafka besides sending. Shared by the pipelines of one relay;
/// thread-safe.
class Brokers {
public:
    Brokers() = default;
    Brokers(const Brokers&) = delete;
    Brokers& operator=(const Brokers&) = delete;
    virtual ~Brokers() = default;

    /// @param ids    what the transactional ids of a slot or shard have in common
    /// @param lanes  those ids
    virtual std::unique_ptr<Markers> markers(store::ShardDatabase& database, std::string ids,
                                             std::vector<std::string> lanes, Patience patience) = 0;

    /// The shard's committed manifests from the one of the last durable mark on.
    /// @throws KafkaError; Error(stop) when they are lost
    virtual kafka::ControlTail read_manifests(const store::Acquired& acquired, const Patience& patience) = 0;

    /// A transaction is committed with success although a topic was deleted and made again while it was open,
    /// and its manifest says nothing of what is gone with the old one. So rows of topics that are not those
    /// any more which they were before are looked for in what stands there now; those that are not found, or
    /// cannot be looked for, become `gone`.
    /// @throws KafkaError: brokers do not say which topics there are, or are away
    virtual void find_gone(store::ShardDatabase& database, int shard, Settle& settle,
                           const Patience& patience) = 0;

    /// Whether every partition of the topic has a leader to ask, or there is no such topic.
    virtual bool can_be_asked(const std::string& topic) = 0;
};

} // namespace outbox::relay
