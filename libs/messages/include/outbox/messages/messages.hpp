#pragma once

#include <outbox/core/settings.hpp>
#include <outbox/messages/outgoing_event.hpp>
#include <outbox/messages/record.hpp>
#include <outbox/messages/topic_template.hpp>
#include <outbox/partition/strategy.hpp>

#include <memory>

namespace outbox::messages {

/// How rows become messages: in which format, to which topic, into which partition.
struct Messages {
    BeforePublish before_publish; ///< may be empty
    std::shared_ptr<const RecordEncoder> encoder;
    TopicTemplate topic;
    partition::Strategy strategy = std::make_shared<partition::HashPartitionStrategy>();
};

/// From RELAY_FORMAT and its neighbours. @param source  ce_source. @throws UsageError
Messages messages_from(const Settings& settings, const std::string& source);

/// Says in the log what a strategy does to the order per key, if it does something.
void warn_of_order(const partition::PartitionStrategy& strategy);

} // namespace outbox::messages
