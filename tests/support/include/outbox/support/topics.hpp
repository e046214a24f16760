#pragma once

#include <string>
#include <vector>

namespace outbox::support {

/// Removes topics from the cluster of KAFKA_BROKERS; those that do not exist are no error. A test that has
/// topics of its own leaves none behind: the broker keeps a file open for each partition, and they add up.
/// @throws std::runtime_error when the cluster does not answer or refuses.
void delete_topics(const std::vector<std::string>& names);

} // namespace outbox::support
