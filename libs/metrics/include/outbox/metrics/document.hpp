#pragma once

#include <string>

namespace outbox::metrics {

/// docs/metrics.md.
std::string document();

} // namespace outbox::metrics
