#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/kafka/client.hpp>
#include <outbox/kafka/error.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace outbox::kafka {

/// A header of a record. Both are views, which live as long as their record's.
struct Header {
    std::string_view name;  ///< UTF-8
    std::string_view value; ///< any bytes
};

/// One record to send. Views must live until the transaction has ended.
struct Record {
    std::string_view topic;        ///< one that exists
    std::int32_t partition = 0;    ///< one that the topic has
    std::string_view key;          ///< any bytes
    std::string_view value;        ///< any bytes
    std::vector<Header> headers;   ///< sent in this order
    std::int64_t timestamp_ms = 0; ///< 0: now
    bool tombstone = false;        ///< no value at all, which is not the same as an empty one
};

/// Where a record stands, or why it does not.
struct Delivery {
    std::int64_t offset = -1; ///< in its partition; -1: it has none
    int error = 0;            ///< librdkafka's code; 0: persisted
};

/// Why a transaction failed.
struct Failure {
    int code = 0;                ///< librdkafka's
    Blame blame = Blame::nobody; ///< decides what the relay does next
    std::string message;         ///< for the log; no payloads
};

/// How a transaction ended, as far as this client knows.
struct TransactionEnd {
    std::optional<Failure> failure; ///< nullopt: commit was answered with success
    /// Requests of this transaction may still be under way in the network; the producer must not be used
    /// again.
    bool strays = false;
    std::vector<Delivery> deliveries; ///< by order of produce()
    milliseconds throttled{0};        ///< for how long brokers held this client back by its quotas
};

/// What a lane is made with.
struct LaneOptions {
    ClientOptions client;                     ///< how to reach the cluster
    std::string transactional_id;             ///< the same for the same lane of a shard, for ever
    std::string transactional_family;         ///< with which all ids of its kind begin, as rights name them
    std::size_t batch_bytes = 1'000'000;      ///< of one record batch; at most the topics' max.message.bytes
    milliseconds transaction_timeout{20'000}; ///< after which the broker aborts by itself
};

/// What to type where the cluster refuses a lane; begins with "; ". Empty for other codes.
std::string advice_for(int code, const LaneOptions& options);

/// One transactional producer, seen from the relay: exactly-once delivery rests on what each verb says.
/// Whoever writes another one has to keep all of it, against a real broker. Used by one thread at a time. It
/// never aborts and goes on: after any failure, and whenever the relay recovers, it is destroyed and another
/// is made under the same transactional id.
class Lane {
public:
    Lane() = default;
    Lane(const Lane&) = delete;
    Lane& operator=(const Lane&) = delete;
    /// Returns once nothing of this lane reads a record's memory any more.
    virtual ~Lane() = default;

    /// Kafka's InitProducerId: when it returns, every earlier producer of this transactional id is fenced,
    /// and its last transaction is decided. Waits while the coordinator is loading or away.
    /// @param deadline  ends the wait
    /// @param go_on     asked about every half second; false ends the wait with Action::retry
    /// @throws KafkaError
    virtual void init(Deadline deadline, const std::function<bool()>& go_on) = 0;

    /// Sends the records, all of them, each to its partition and in this order within one, in one
    /// transaction, and commits it. The last one is the manifest: what the transaction holds besides is sent
    /// if and only if that is.
    ///
    /// The end has no failure only when the commit was answered with success, and then a delivery for each
    /// record. It has strays when a request of the transaction may still be under way in the network, as
    /// after any answer that did not come and any request that was sent twice.
    /// @param records        their memory lives until the lane is destroyed or the end has neither failure
    /// nor strays
    /// @param deadline       of the whole transaction
    /// @param before_commit  called when brokers have all the records and nothing asked for their commit;
    /// when it throws a KafkaError nothing is committed, and that is the failure
    /// @throws nothing for what Kafka refuses: the end tells.
    virtual TransactionEnd send(const std::vector<Record>& records, Deadline deadline,
                                const std::function<void()>& before_commit) = 0;

    /// Within before_commit: a delivery for each record. A lane that tells none is not asked about markers
    /// which somebody else wrote into its transaction.
    [[nodiscard]] virtual std::vector<Delivery> delivered() const { return {}; }
};

/// Makes a lane, and connects to nothing yet. @throws KafkaError
using LaneFactory = std::function<std::unique_ptr<Lane>(const LaneOptions&)>;

/// The lane over librdkafka that relays use unless they are given another; others may wrap it.
std::unique_ptr<Lane> make_lane(const LaneOptions& options);

} // namespace outbox::kafka
