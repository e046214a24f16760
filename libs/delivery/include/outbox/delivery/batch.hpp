#pragma once

#include <outbox/delivery/claim_budget.hpp>
#include <outbox/delivery/identities.hpp>
#include <outbox/kafka/lane.hpp>
#include <outbox/messages/arena.hpp>
#include <outbox/store/shard.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace outbox::delivery {

/// One Kafka transaction: claimed rows, their records, and the manifest as the last record.
/// Records point into rows and arena; it lives until the transaction is decided.
struct Batch {
    std::int64_t number = 0;
    store::RowSet claimed;
    ClaimBudget::Held held; ///< what its rows take
    std::vector<kafka::Record> records;
    messages::Arena arena;
    std::string manifest;
    std::string manifest_key;
    std::string manifest_topics;
    TopicIdentities identities; ///< of all topics of its records, before any was sent
    std::map<std::string, std::int64_t, std::less<>> outlived; ///< by topic: events of a Stamp that is
    /// Of rows that go to the dead-letter topic, by seq: what is written about them once they are there.
    std::map<std::int64_t, store::FailedAttempt> dead_letters;
};

} // namespace outbox::delivery
