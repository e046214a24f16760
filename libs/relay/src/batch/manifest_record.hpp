#pragma once

#include <outbox/delivery/batch.hpp>
#include <outbox/store/shard_database.hpp>

#include <cstdint>
#include <string>

namespace outbox::relay {

/// Gives a batch its number, and its manifest as the last record.
/// @pre the batch is whole but for that, and its topics are identified
void add_manifest(delivery::Batch& batch, const std::string& control_topic, const Uuid& outbox_id,
                  const store::Ownership& ownership, std::int64_t number);

} // namespace outbox::relay
