#pragma once

#include <outbox/operator/cluster.hpp>
#include <outbox/relay/options.hpp>

#include <memory>

namespace outbox {

/// Kafka, as adopt and reconcile see it.
std::unique_ptr<verbs::Cluster> open_cluster(const relay::RelayOptions& options);

} // namespace outbox
