#pragma once

#include <cstdint>
#include <map>
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

/// @param brokers  the ids of those that hold each partition, its leader first; default: one, whichever
void create_topic(const std::string& name, int partitions,
                  const std::map<std::string, std::string>& config = {},
                  std::vector<std::int32_t> brokers = {});
/// The id of the broker that leads the partition, -1: none.
std::int32_t leader_of(const std::string& topic, std::int32_t partition);
/// Until the topic has `partitions` of them.
void add_partitions(const std::string& name, int partitions);
void delete_topic(const std::string& name);
/// A record that no relay sent.
void produce(const std::string& name, const std::map<std::string, std::string>& headers);
/// @param config  all that is not the broker's default from now on
void alter_topic(const std::string& name, const std::map<std::string, std::string>& config);
/// From now on everybody may see and read the topic, and nobody write to it.
void allow_reading_only(const std::string& name);
/// From now on everybody may write to the topic and read it, and nobody may ask for it.
void deny_describing(const std::string& name);
/// Takes back what restricted the topic.
void allow_all(const std::string& name);

} // namespace outbox::support
