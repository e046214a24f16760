#pragma once

#include "shard/brokers.hpp"

#include <outbox/kafka/transactions.hpp>
#include <outbox/relay/observer.hpp>

#include <string>
#include <vector>

namespace outbox::relay {

/// Finds the markers that brokers lost, and writes them.
class LostMarkers final : public Markers {
public:
    LostMarkers(kafka::Transactions transactions, std::string control_topic, store::ShardDatabase& store,
                std::string ids, std::vector<std::string> lanes, Patience patience, Observer& observer)
        : transactions_(std::move(transactions)),
          control_topic_(std::move(control_topic)),
          store_(store),
          ids_(std::move(ids)),
          lanes_(std::move(lanes)),
          patience_(std::move(patience)),
          observer_(observer) {}

    void note() override;
    std::vector<std::string> write() override;

private:
    [[nodiscard]] kafka::TransactionState decided(const std::string& lane) const;
    [[nodiscard]] kafka::OpenTransactions open() const;
    [[nodiscard]] std::vector<kafka::Partition> everywhere() const;
    bool note_once();
    bool keep(const kafka::OpenTransactions& seen, const std::vector<kafka::TransactionState>& before);

    kafka::Transactions transactions_;
    std::string control_topic_;
    store::ShardDatabase& store_;
    std::string ids_;
    std::vector<std::string> lanes_;
    Patience patience_;
    Observer& observer_;
    std::vector<std::int64_t> producers_; ///< of the lanes, before init_transactions
    bool able_ = true;                    ///< brokers can be asked at all
    bool suspicious_ = false;             ///< some partition waits, or could not be asked
};

} // namespace outbox::relay
