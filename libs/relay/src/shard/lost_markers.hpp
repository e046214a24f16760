#pragma once

#include "shard/worker.hpp"

#include <outbox/kafka/transactions.hpp>

#include <functional>
#include <string>
#include <vector>

namespace outbox::relay {

/// How long a recovery waits, and whether it still should.
struct Patience {
    Deadline deadline;
    std::function<bool()> go_on;

    /// @throws Error(retry) when it should not go on
    void pause() const;
};

/// Ends transactions that Kafka decided and then forgot to end in some partitions (docs/decisions/0010).
/// A step of recovery, around init_transactions: note() before it, because the coordinator forgets the
/// outcome there; write() after it, because nobody else can begin a transaction then.
class LostMarkers {
public:
    /// @param lanes  the transactional ids of the shard's lanes
    LostMarkers(const RelayContext& context, store::ShardStore& store, const store::Ownership& ownership,
                std::vector<std::string> lanes, Patience patience)
        : context_(context),
          store_(store),
          ownership_(ownership),
          lanes_(std::move(lanes)),
          patience_(std::move(patience)),
          transactions_(context.admin, context.options.kafka) {}

    /// Waits until the lanes' last transactions are decided, and writes down the outcome of those that some
    /// partition still waits for. @throws KafkaError, NotOwner
    void note();

    /// Writes the markers that were noted. @return topics that must wait: a partition has no leader to ask
    /// @throws KafkaError, NotOwner; Error(stop) when an open transaction was not noted
    std::vector<std::string> write();

private:
    [[nodiscard]] kafka::TransactionState decided(const std::string& lane) const;
    [[nodiscard]] kafka::OpenTransactions open() const;
    [[nodiscard]] std::vector<kafka::Partition> everywhere() const;
    bool keep(const kafka::OpenTransactions& seen, const std::vector<kafka::TransactionState>& before);

    const RelayContext& context_;
    store::ShardStore& store_;
    store::Ownership ownership_;
    std::vector<std::string> lanes_;
    Patience patience_;
    kafka::Transactions transactions_;
    std::vector<std::int64_t> producers_; ///< of the lanes, before init_transactions
    bool suspicious_ = false;             ///< some partition waits, or could not be asked
};

} // namespace outbox::relay
