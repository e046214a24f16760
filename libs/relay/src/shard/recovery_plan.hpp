#pragma once

#include <outbox/delivery/manifest.hpp>
#include <outbox/kafka/control_reader.hpp>
#include <outbox/store/shard.hpp>

#include <map>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace outbox::relay {

/// The manifests after the last durable mark are whole: bring the rows in line and go on.
struct Settle {
    std::vector<store::ManifestedRow> rows;
    std::vector<store::GoneRows> gone; ///< of those: their topic was made again, and they are not in it
    /// Rows by the topic where their records went, and its id before, as far as manifests say. Indices.
    std::map<std::pair<std::string, Uuid>, std::vector<std::size_t>> by_topic;
    /// Under whose producers the manifests were sent that are not marked, each once.
    std::vector<store::SentUnder> sent_under;
    store::MarkedUpTo newest;
    bool raise_epoch =
        false; ///< the newest manifest carries our epoch but another owner: a failover lost a bump
};

/// Going on would be a guess.
struct StopShard {
    std::string reason; ///< says what to do
};

using RecoveryPlan = std::variant<Settle, StopShard>;

/// Decides, without I/O, what the committed end of a control partition means for a shard.
RecoveryPlan plan_recovery(const Uuid& outbox_id, const store::Acquired& acquired,
                           const kafka::ControlTail& tail);

} // namespace outbox::relay
