#pragma once

#include <outbox/delivery/claim_budget.hpp>
#include <outbox/delivery/identities.hpp>
#include <outbox/kafka/lane.hpp>
#include <outbox/messages/arena.hpp>
#include <outbox/store/shard.hpp>

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

namespace outbox::delivery {

/// What a control partition says about the part of a batch that is its shard's.
struct BatchManifest {
    int partition = 0;
    std::int64_t number = 0; ///< of the batch, as the partition counts them
    std::string key;
    std::string value;
    std::string topics;
    std::string slot;
};

/// One Kafka transaction: claimed rows, their records, and behind them a manifest for each shard that has
/// some. Records point into rows, manifests and arena; it lives until the transaction is decided.
struct Batch {
    store::RowSet claimed;
    ClaimBudget::Held held; ///< what its rows take
    std::vector<kafka::Record> records;
    messages::Arena arena;
    std::deque<BatchManifest> manifests; ///< in the order of their records; records point into them
    TopicIdentities identities;          ///< of all topics of its records, before any was sent
    std::map<std::string, std::int64_t, std::less<>> outlived; ///< by topic: events of a Stamp that is
    /// Of rows that go to the dead-letter topic, by seq: what is written about them once they are there.
    std::map<std::int64_t, store::FailedAttempt> dead_letters;

    /// Records that are no manifests.
    [[nodiscard]] std::size_t events() const { return records.size() - manifests.size(); }
};

} // namespace outbox::delivery
