#pragma once

#include "outbox/kafka/lane.hpp"

#include <outbox/core/settings.hpp>

namespace outbox::kafka {

/// LINGER_MS -> linger.ms, checked. @throws UsageError by the name of the variable.
Properties producer_properties(const ConfigFile::Group& variables);

/// Everything that a producer is made with: ours, and over it the user's.
Properties properties_of(const LaneOptions& options);

} // namespace outbox::kafka
