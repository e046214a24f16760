#pragma once

#include <algorithm>
#include <array>
#include <string_view>

/// Names that say which event a record is, or what it is instead: written and read by these.
namespace outbox::messages::headers {

inline constexpr std::string_view ce_id = "ce_id";
inline constexpr std::string_view debezium_id = "id";
inline constexpr std::string_view content_type = "content-type";
inline constexpr std::string_view structured_event = "application/cloudevents+json"; ///< a content-type
inline constexpr std::string_view error_class = "__connect.errors.class.name";       ///< of a dead letter
inline constexpr std::string_view error_class_here = "outbox-relay";                 ///< and its value
/// All of a dead letter's own, in the order in which they end its record.
inline constexpr std::array dead_letter = std::to_array<std::string_view>(
    {"__connect.errors.topic", "__connect.errors.partition", "__connect.errors.offset",
     "__connect.errors.connector.name", "__connect.errors.task.id", "__connect.errors.stage", error_class,
     "__connect.errors.exception.class.name", "__connect.errors.exception.message"});
/// RFC 3339: when the event happened, of a record whose timestamp and format do not say it.
inline constexpr std::string_view created_at = "outbox-created-at";
inline constexpr std::string_view replay_id = "outbox-replay-id";     ///< of outbox-backfill's run
inline constexpr std::string_view original_id = "outbox-original-id"; ///< of the event it repeats

/// Whether two names are one: header names of HTTP and CloudEvents have no case, and consumers go by that.
constexpr bool is_same(std::string_view a, std::string_view b) noexcept {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [lower](char x, char y) { return lower(x) == lower(y); });
}

} // namespace outbox::messages::headers
