#pragma once

#include <string>
#include <vector>

namespace outbox::support {

/// Removes topics from the cluster of KAFKA_BROKERS; those that do not exist are no error. A test that has
/// topics of its own leaves none behind: the broker keeps a file open for each partition, and they add up.
/// @throws std::runtime_error when the cluster does not answer or refuses.
void delete_topics(const std::vector<std::string>& names);

/// How the cluster of KAFKA_BROKERS has made a topic; nothing but zeros when it does not exist.
struct TopicShape {
    int partitions = 0;
    int replicas = 0; ///< of its first partition
};
/// @throws std::runtime_error when the cluster does not answer.
TopicShape shape_of(const std::string& topic);

} // namespace outbox::support
