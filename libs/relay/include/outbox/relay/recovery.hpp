#pragma once

#include <outbox/kafka/control_reader.hpp>
#include <outbox/relay/manifest.hpp>
#include <outbox/store/shard.hpp>

#include <string>
#include <variant>
#include <vector>

namespace outbox::relay {

/// The manifests after the last durable mark are whole: bring the rows in line and go on.
struct Settle {
    std::vector<store::ManifestedRow> rows;
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
