#include "outbox/relay/messages.hpp"

namespace outbox::relay {

Messages messages_from(const Settings& settings, const std::string& source) {
    Messages messages;
    messages.encoder =
        make_encoder({settings.text("RELAY_FORMAT"), source, settings.on("RELAY_DEBEZIUM_EVENT_TYPE")});
    messages.topic = TopicTemplate("RELAY_TOPIC_TEMPLATE", settings.text("RELAY_TOPIC_TEMPLATE"));
    messages.strategy =
        partition::parse_strategy("RELAY_PARTITION_STRATEGY", settings.text("RELAY_PARTITION_STRATEGY"));
    return messages;
}

} // namespace outbox::relay
