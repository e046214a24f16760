#pragma once

#include <outbox/http/router.hpp>
#include <outbox/metrics/registry.hpp>

namespace outbox::metrics {

/// Answers GET /metrics in the format and the encoding that the request likes best.
/// @param registry  outlives the router
void add_route(http::Router& router, const Registry& registry, http::WorkerPool& pool);

} // namespace outbox::metrics
