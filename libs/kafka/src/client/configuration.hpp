#pragma once

#include "outbox/kafka/client.hpp"

#include <outbox/core/handle.hpp>

#include <librdkafka/rdkafka.h>

namespace outbox::kafka {

using Configuration = Handle<rd_kafka_conf_t, rd_kafka_conf_destroy>;

/// Common settings plus `properties`. @throws std::logic_error for a property that librdkafka refuses.
Configuration make_configuration(const ClientOptions& options, const Properties& properties);

/// Creates a client; takes the configuration over. @throws KafkaError
Client make_client(rd_kafka_type_t type, Configuration configuration);

} // namespace outbox::kafka
