#pragma once

#include <outbox/core/settings.hpp>
#include <outbox/delivery/topics.hpp>

#include <string>

/// Settings that every program shares which sends events.
namespace outbox::delivery {

std::string outbox_name(const Settings& settings);  ///< OUTBOX_NAME, else DB_NAME
std::string event_source(const Settings& settings); ///< OUTBOX_SOURCE, else `/outbox/<name>`
TopicPolicy topic_policy(const Settings& settings); ///< KAFKA_CREATE_TOPICS and its like

} // namespace outbox::delivery
