#include "outbox/delivery/settings.hpp"

namespace outbox::delivery {

/// The database's name is what most people would write there, and two outboxes in one database must
/// choose.
std::string outbox_name(const Settings& settings) {
    return settings.has("OUTBOX_NAME") ? settings.text("OUTBOX_NAME") : settings.text("DB_NAME");
}

std::string event_source(const Settings& settings) {
    return settings.has("OUTBOX_SOURCE") ? settings.text("OUTBOX_SOURCE")
                                         : "/outbox/" + outbox_name(settings);
}

TopicPolicy topic_policy(const Settings& settings) {
    TopicPolicy policy;
    policy.brokers = settings.text("KAFKA_BROKERS");
    policy.create = settings.on("KAFKA_CREATE_TOPICS");
    policy.partitions = static_cast<std::int32_t>(settings.integer("KAFKA_TOPIC_PARTITIONS"));
    if (settings.has("KAFKA_REPLICATION_FACTOR")) {
        policy.replication = static_cast<std::int32_t>(settings.integer("KAFKA_REPLICATION_FACTOR"));
    }
    return policy;
}

} // namespace outbox::delivery
