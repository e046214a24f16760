#pragma once

#include <outbox/delivery/publisher.hpp>
#include <outbox/delivery/topic_watch.hpp>
#include <outbox/kafka/admin.hpp>
#include <outbox/kafka/client.hpp>
#include <outbox/kafka/transactions.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace outbox::delivery {

/// Where brokers acknowledged the first record of a transaction, by topic and partition.
using FirstOffsets = std::map<std::pair<std::string, std::int32_t>, std::int64_t>;

/// @param delivered  by order of the batch's records
FirstOffsets first_offsets(const Batch& batch, const std::vector<kafka::Delivery>& delivered);

/// A partition where the producer's transaction does not begin at, or before, its first record any more:
/// somebody else ended it there in between. @param open  of this producer
std::optional<kafka::Partition> torn_in(const FirstOffsets& first, const kafka::OpenTransactions& open);

/// What stood in a topic that is gone, or was ended by a marker that somebody wrote by hand, is sent again
/// with the rest, as long as nothing is committed. A commit would succeed.
/// @throws KafkaError: the batch is not to be committed
void look_before_commit(const kafka::ClientOptions& client, const kafka::Admin& admin, TopicWatch& watch,
                        const UnderWay& under_way);

} // namespace outbox::delivery
