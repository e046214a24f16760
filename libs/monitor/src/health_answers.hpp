#pragma once

#include "relay_view.hpp"

#include <outbox/http/health.hpp>
#include <outbox/http/message.hpp>

#include <vector>

namespace outbox::monitor {

/// A loop that has begun no turn for so long is stuck: every wait of the relay's ends before, also while a
/// server hangs.
inline constexpr milliseconds stuck_after{300'000};

/// 200 while each loop moves.
http::Response livez(const std::vector<RelayView::Loop>& loops);

/// 200 when each dependency is up and the relay does not end. A relay without shards is ready to take over.
http::Response readyz(const std::vector<http::Health::Finding>& findings, bool draining);

/// Both, with all that is known: reasons and durations too, because this port is an operator's.
http::Response health(const std::vector<http::Health::Finding>& findings, bool draining,
                      const std::vector<RelayView::Loop>& loops, std::size_t shards);

} // namespace outbox::monitor
