#pragma once

#include <outbox/delivery/batch.hpp>
#include <outbox/store/shard_database.hpp>

#include <cstdint>
#include <string>

namespace outbox::relay {

/// Adds the manifest of one shard as the last record: it names those of the batch's rows that are the
/// shard's.
/// @param shard_count  whose rows they are follows from it
/// @param slot  under whose producers it is sent
/// @pre the batch is whole but for manifests, and its topics are identified
void add_manifest(delivery::Batch& batch, const std::string& control_topic, const Uuid& outbox_id,
                  int shard_count, const store::Ownership& ownership, const store::Slot& slot,
                  std::int64_t number);

} // namespace outbox::relay
