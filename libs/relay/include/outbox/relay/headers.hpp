#pragma once

#include <string_view>

/// Names that say which event a record is, or what it is instead: written and read by these.
namespace outbox::relay::headers {

inline constexpr std::string_view ce_id = "ce_id";
inline constexpr std::string_view debezium_id = "id";
inline constexpr std::string_view content_type = "content-type";
inline constexpr std::string_view structured_event = "application/cloudevents+json"; ///< a content-type
inline constexpr std::string_view error_class = "__connect.errors.class.name";       ///< of a dead letter
inline constexpr std::string_view error_class_here = "outbox-relay";                 ///< and its value
inline constexpr std::string_view replay_id = "outbox-replay-id";     ///< of outbox-backfill's run
inline constexpr std::string_view original_id = "outbox-original-id"; ///< of the event it repeats

} // namespace outbox::relay::headers
