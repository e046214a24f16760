#include "outbox/relay/options.hpp"

#include <outbox/core/error.hpp>
#include <outbox/kafka/options.hpp>
#include <outbox/postgres/options.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace outbox::relay {

RelayOptions relay_options(const Settings& settings) {
    RelayOptions options;
    options.name = delivery::outbox_name(settings);
    if (!kafka::is_topic_name(options.control_topic())) {
        throw UsageError(
            fmt::format("OUTBOX_NAME={} is not allowed: it must be letters, digits, '.', '_' or '-', at"
                        " most 234 of them, because it names the topic {}",
                        options.name, options.control_topic()));
    }
    options.messages = messages::messages_from(settings, delivery::event_source(settings));
    options.poll_interval = settings.seconds("RELAY_POLL_INTERVAL");
    options.lease = settings.seconds("RELAY_LEASE");
    options.drain_timeout = settings.seconds("RELAY_DRAIN_TIMEOUT");
    options.statement_timeout = std::clamp(options.lease / 3, milliseconds(300), milliseconds(5'000));
    options.max_retries = static_cast<std::int32_t>(settings.integer("RELAY_MAX_RETRIES"));
    options.block_failed_keys = settings.text("RELAY_ON_FAILED") == "block-key";
    options.delete_sent = settings.text("RELAY_ON_SENT") == "delete";
    options.dead_letter_topic = settings.text("RELAY_DEAD_LETTER_TOPIC");
    if (!options.dead_letter_topic.empty() && (!kafka::is_topic_name(options.dead_letter_topic) ||
                                               options.dead_letter_topic == options.control_topic())) {
        throw UsageError(
            fmt::format("RELAY_DEAD_LETTER_TOPIC={} is not allowed: it must be a topic's name, and not"
                        " the control topic's",
                        options.dead_letter_topic));
    }
    options.first_shards = static_cast<int>(settings.integer("RELAY_SHARDS"));
    options.pipelines = static_cast<int>(settings.integer("RELAY_PIPELINES"));
    options.claim.rows = static_cast<std::size_t>(settings.integer("RELAY_TRANSACTION_EVENTS"));
    options.claim.rows_a_statement = static_cast<std::size_t>(settings.integer("RELAY_BATCH_SIZE"));
    options.claim.track_processing = settings.on("RELAY_TRACK_PROCESSING");
    options.topics = delivery::topic_policy(settings);
    options.kafka = kafka::client_options(settings, "outbox-relay");
    options.topics.control_topic = options.control_topic();
    options.topics.dead_letter_topic = options.dead_letter_topic;
    options.topics.outage = {settings.text("RELAY_TOPIC_OUTAGE") == "fail",
                             settings.seconds("RELAY_TOPIC_OUTAGE_TIMEOUT")};
    options.topics.metadata_interval = kafka::metadata_interval(options.kafka);
    options.database = postgres::options_from(settings, "outbox-relay");
    // The server ends a statement before this side gives it up: its answer names the cause.
    options.database.statement_timeout = options.statement_timeout * 4 / 5;
    options.database.lock_timeout = options.statement_timeout * 2 / 3;
    options.database.idle_in_transaction_timeout = options.statement_timeout;
    options.database.tcp_user_timeout = options.statement_timeout;
    return options;
}

} // namespace outbox::relay
