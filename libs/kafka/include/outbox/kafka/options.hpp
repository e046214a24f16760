#pragma once

#include <outbox/core/settings.hpp>
#include <outbox/kafka/client.hpp>

#include <string>

namespace outbox::kafka {

/// How to reach the cluster, and as whom: KAFKA_BROKERS, KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_*, KAFKA_SSL_*,
/// KAFKA_PRODUCER_*.
/// @throws UsageError for what does not fit together, files that cannot be read, and properties of producers
/// that are unknown or would break the guarantee.
ClientOptions client_options(const Settings& settings, std::string client_id);

} // namespace outbox::kafka
