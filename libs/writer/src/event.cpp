// Checks an event where it is made. Each check refuses what the database, or Kafka later, would refuse,
// by the column's name, while the service still knows what it was doing. Values never appear in the
// messages.

#include "outbox/writer/event.hpp"

#include "text.hpp"

#include <outbox/core/trace_context.hpp>

#include <algorithm>
#include <utility>

namespace outbox {
namespace {

/// 1 to 255 characters of UTF-8 without NUL, as the columns are.
void require_text(std::string_view field, std::string_view text) {
    const auto characters = count_characters(text);
    if (!characters) {
        throw InvalidEvent(field, "is not UTF-8 without NUL");
    }
    if (*characters == 0) {
        throw InvalidEvent(field, "is empty");
    }
    constexpr std::size_t longest = 255; // the columns' VARCHAR(255)
    if (*characters > longest) {
        throw InvalidEvent(field, "has more than 255 characters");
    }
}

/// Kafka's rule for names of topics; one that breaks it could never be sent.
void require_topic(std::string_view topic) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
               c == '_' || c == '-';
    };
    constexpr std::size_t longest = 249; // Kafka's
    if (topic.empty() || topic.size() > longest || topic == "." || topic == ".." ||
        !std::ranges::all_of(topic, allowed)) {
        throw InvalidEvent("topic",
                           "is no name for a Kafka topic: 1 to 249 of letters, digits, '.', '_', '-'");
    }
}

/// As outbox_add() has it: a type, a slash, a subtype, and perhaps parameters.
void require_media_type(const std::string& text) {
    require_text("content_type", text);
    const auto printable = [](char c) { return c >= ' ' && c <= '~'; };
    const auto slash = text.find('/');
    const auto blank = text.find_first_of(" ;");
    if (!std::ranges::all_of(text, printable) || slash == 0 || slash == std::string::npos ||
        slash + 1 >= std::min(blank, text.size())) {
        throw InvalidEvent("content_type", "is no media type, such as application/avro");
    }
}

/// A header that Kafka can carry and jsonb can hold.
void require_header(const std::string& name, const std::string& value) {
    if (name.empty()) {
        throw InvalidEvent("headers", "has an empty name");
    }
    if (!count_characters(name) || !count_characters(value)) {
        throw InvalidEvent("headers", "has a name or a value that is not UTF-8 without NUL");
    }
}

} // namespace

InvalidEvent::InvalidEvent(std::string_view field, std::string_view problem)
    : std::invalid_argument("outbox event: " + std::string(field) + " " + std::string(problem)),
      field_(field) {}

Event::Event(std::string aggregate_type, std::string aggregate_id, std::string event_type,
             std::string event_data, std::string topic)
    : aggregate_type_(std::move(aggregate_type)),
      aggregate_id_(std::move(aggregate_id)),
      event_type_(std::move(event_type)),
      event_data_(std::move(event_data)),
      topic_(std::move(topic)) {
    require_text("aggregate_type", aggregate_type_);
    require_text("aggregate_id", aggregate_id_);
    require_text("event_type", event_type_);
    if (!is_storable_json(event_data_)) {
        throw InvalidEvent("event_data", "is not JSON text that jsonb can store");
    }
    require_topic(topic_);
}

Event Event::of_bytes(std::string aggregate_type, std::string aggregate_id, std::string event_type,
                      std::string payload, std::string content_type, std::string topic) {
    Event event(std::move(aggregate_type), std::move(aggregate_id), std::move(event_type), "null",
                std::move(topic));
    event.payload_ = std::move(payload);
    if (!content_type.empty()) {
        require_media_type(content_type);
        event.content_type_ = std::move(content_type);
    }
    return event;
}

Event Event::tombstone(std::string aggregate_type, std::string aggregate_id, std::string event_type,
                       std::string topic) {
    Event event(std::move(aggregate_type), std::move(aggregate_id), std::move(event_type), "null",
                std::move(topic));
    event.tombstone_ = true;
    return event;
}

Event& Event::set_id(const Uuid& id) noexcept {
    id_ = id;
    return *this;
}

Event& Event::set_partition_key(std::string key) {
    require_text("partition_key", key);
    partition_key_ = std::move(key);
    return *this;
}

Event& Event::set_header(const std::string& name, std::string value) {
    require_header(name, value);
    headers_[name] = std::move(value);
    return *this;
}

Event& Event::set_trace(std::string_view traceparent, std::string_view tracestate) {
    if (is_traceparent(traceparent)) {
        headers_["traceparent"] = traceparent;
        headers_.erase("tracestate"); // it belonged to the parent before
        if (is_tracestate(tracestate)) {
            headers_["tracestate"] = tracestate;
        }
    }
    return *this;
}

Event& Event::set_max_retries(std::int32_t retries) {
    if (retries < 0) {
        throw InvalidEvent("max_retries", "is negative");
    }
    max_retries_ = retries;
    return *this;
}

} // namespace outbox
