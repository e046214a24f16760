#include "outbox/messages/messages.hpp"

#include <outbox/telemetry/log.hpp>

namespace outbox::messages {
namespace {

/// One for all events, and others for the event types that the file names.
partition::Strategy strategy_from(const Settings& settings) {
    auto fallback =
        partition::parse_strategy("RELAY_PARTITION_STRATEGY", settings.text("RELAY_PARTITION_STRATEGY"));
    const auto& by_event_type = settings.group("PARTITION_STRATEGIES");
    if (by_event_type.empty()) {
        return fallback;
    }
    auto custom = std::make_shared<partition::CustomPartitionStrategy>(std::move(fallback));
    for (const auto& [event_type, text] : by_event_type) {
        custom->set_strategy_for_event_type(
            event_type, partition::parse_strategy("partition_strategies." + event_type, text));
    }
    return custom;
}

} // namespace

Messages messages_from(const Settings& settings, const std::string& source) {
    Messages messages;
    messages.encoder =
        make_encoder({settings.text("RELAY_FORMAT"), source, settings.on("RELAY_DEBEZIUM_EVENT_TYPE")});
    messages.topic = TopicTemplate("RELAY_TOPIC_TEMPLATE", settings.text("RELAY_TOPIC_TEMPLATE"));
    messages.strategy = strategy_from(settings);
    return messages;
}

void warn_of_order(const partition::PartitionStrategy& strategy) {
    if (const auto caveat = strategy.order_caveat(); !caveat.empty()) {
        log::warn("order per key is not kept by the partition strategy", {{"reason", caveat}});
    }
}

} // namespace outbox::messages
