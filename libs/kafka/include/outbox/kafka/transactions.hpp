#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/kafka/admin.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace outbox::kafka {

class Connector;

/// What the coordinator knows about the last transaction of a transactional id.
struct TransactionState {
    enum class Kind {
        none,      ///< nothing since the last InitProducerId
        ongoing,   ///< neither committed nor aborted
        ending,    ///< decided; its markers are being written
        committed, ///< decided, and its markers were written, as far as the coordinator knows
        aborted
    };
    Kind kind = Kind::none;
    std::int64_t producer_id = -1; ///< -1: the cluster does not know the transactional id
};

/// A transaction that a partition waits for: it holds the partition's last stable offset.
struct OpenTransaction {
    std::string topic;
    std::int32_t partition = 0;
    std::int64_t start_offset = 0;
    std::int64_t producer_id = 0;
    std::int16_t producer_epoch = 0;
    std::int32_t coordinator_epoch = 0;
};

/// A partition of a topic, or all of them.
struct Partition {
    static constexpr std::int32_t every = -1; ///< stands for all partitions of the topic

    std::string topic;
    std::int32_t number = every;
};

/// What was found where transactions were looked for, and where nobody could look.
struct OpenTransactions {
    std::vector<OpenTransaction> found;
    std::vector<Partition> unasked; ///< their leader is away
    std::vector<Partition> hidden;  ///< this client may not READ there
};

/// Transactions as brokers see them, by requests that librdkafka 2.0.2 does not have: DescribeTransactions,
/// DescribeProducers, WriteTxnMarkers. Over connections of its own, which are secured as librdkafka's are.
/// Needs no cluster that is newer than 3.0. Thread-safe.
class Transactions {
public:
    /// @throws KafkaError _SSL: a file of certificates or keys cannot be used
    Transactions(const Admin& admin, const ClientOptions& options);

    /// Whether its connections speak what the options ask for: TLS, SASL's PLAIN and SCRAM. Where they do
    /// not, all else throws.
    [[nodiscard]] bool able() const noexcept;

    /// @throws KafkaError; blame nobody while the coordinator is away or loads
    [[nodiscard]] TransactionState describe(const std::string& transactional_id, Deadline deadline) const;

    /// Fences the id's producer and, if its transaction is ongoing, begins to abort it; describe() tells when
    /// it is done. @throws KafkaError
    void fence(const std::string& transactional_id, Deadline deadline) const;

    /// Open transactions of these producers there; a topic that is gone, or that this client may not READ,
    /// has none.
    /// @throws KafkaError
    [[nodiscard]] OpenTransactions open(std::span<const Partition> where,
                                        std::span<const std::int64_t> producer_ids, Deadline deadline) const;

    /// Writes the marker that ends an open transaction in its partition; needs ALTER on the cluster where
    /// ACLs are in force. @throws KafkaError
    void write_marker(const OpenTransaction& open, bool commit, Deadline deadline) const;

private:
    [[nodiscard]] Address coordinator(const std::string& transactional_id, Deadline deadline) const;

    const Admin& admin_;
    std::shared_ptr<const Connector> connector_;
};

} // namespace outbox::kafka
