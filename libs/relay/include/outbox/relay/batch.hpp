#pragma once

#include <outbox/kafka/lane.hpp>
#include <outbox/relay/arena.hpp>
#include <outbox/relay/claim_budget.hpp>
#include <outbox/store/shard.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace outbox::relay {

/// One Kafka transaction: claimed rows, their records, and the manifest as the last record.
/// Records point into rows and arena; it lives until the transaction is decided.
struct Batch {
    std::int64_t number = 0;
    store::RowSet claimed;
    ClaimBudget::Held held; ///< what its rows take
    std::vector<kafka::Record> records;
    Arena arena;
    std::string manifest;
    std::string manifest_key;
    std::map<std::string, std::int64_t, std::less<>> outlived; ///< by topic: events of a Stamp that is
    /// The one row goes to the dead-letter topic: what is written about it once it is there.
    std::optional<store::FailedAttempt> dead_letter;
};

} // namespace outbox::relay
