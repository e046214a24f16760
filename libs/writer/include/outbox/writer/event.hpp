#pragma once

#include <outbox/core/uuid.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace outbox {

/// A field holds what the outbox cannot carry. The message names the field; it never shows the value.
class InvalidEvent final : public std::invalid_argument {
public:
    /// @param field  the column's name, @param problem  what is wrong with it, never the value
    InvalidEvent(std::string_view field, std::string_view problem);

    /// The column's name, as in `outbox_events`.
    [[nodiscard]] const std::string& field() const noexcept { return field_; }

private:
    std::string field_;
};

/// One event to be written beside the business rows it tells of. A value: copy and move it freely.
/// It is valid from the constructor on; every function that takes text throws InvalidEvent instead of storing
/// what the database would refuse later. Text is UTF-8 without NUL.
class Event {
public:
    /// The required fields, in the order of the table's columns. The id is a new UUIDv7.
    ///
    /// @param aggregate_type  what the event is about: `account`. 1 to 255 characters.
    /// @param aggregate_id    which one: order is kept for each. 1 to 255 characters.
    /// @param event_type      what happened: `money.transferred`. 1 to 255 characters.
    /// @param event_data      JSON text, stored as jsonb: no U+0000; numbers as long and large as numeric
    /// has.
    /// @param topic           Kafka's: 1 to 249 of letters, digits, `.`, `_`, `-`; not `.` or `..`.
    /// @throws InvalidEvent
    Event(std::string aggregate_type, std::string aggregate_id, std::string event_type,
          std::string event_data, std::string topic);

    /// An event whose value is bytes (Avro, Protobuf): they arrive as they are.
    ///
    /// @param content_type  a media type, such as `application/avro`; empty: `application/octet-stream`
    /// @throws InvalidEvent
    static Event of_bytes(std::string aggregate_type, std::string aggregate_id, std::string event_type,
                          std::string payload, std::string content_type, std::string topic);
    /// An event with a key and no value, by which a compacted topic forgets the key. @throws InvalidEvent
    static Event tombstone(std::string aggregate_type, std::string aggregate_id, std::string event_type,
                           std::string topic);

    /// An id of your own, by which consumers tell a repeated event. It is the table's primary key.
    Event& set_id(const Uuid& id) noexcept;
    /// Key of the Kafka record, where it is not the aggregate id. 1 to 255 characters. @throws InvalidEvent
    Event& set_partition_key(std::string key);
    /// A header of the Kafka record; a second one of the same name replaces the first.
    /// @param name   at least 1 character
    /// @param value  UTF-8
    /// @throws InvalidEvent
    Event& set_header(const std::string& name, std::string value);
    /// The W3C trace context of the request that causes the event. As that standard asks, a malformed
    /// traceparent is ignored, and with it the state; of a malformed tracestate only the state.
    Event& set_trace(std::string_view traceparent, std::string_view tracestate = {});
    /// How many attempts the event has in all before the relay gives it up, 3 unless told; 0 is as 1.
    /// @throws InvalidEvent below 0
    Event& set_max_retries(std::int32_t retries);

    ///@{
    /// What the row will hold: as it was given, or the default.
    [[nodiscard]] const Uuid& id() const noexcept { return id_; }
    [[nodiscard]] const std::string& aggregate_type() const noexcept { return aggregate_type_; }
    [[nodiscard]] const std::string& aggregate_id() const noexcept { return aggregate_id_; }
    [[nodiscard]] const std::string& event_type() const noexcept { return event_type_; }
    [[nodiscard]] const std::string& event_data() const noexcept { return event_data_; }
    [[nodiscard]] const std::optional<std::string>& payload() const noexcept { return payload_; }
    [[nodiscard]] const std::optional<std::string>& content_type() const noexcept { return content_type_; }
    [[nodiscard]] bool is_tombstone() const noexcept { return tombstone_; }
    [[nodiscard]] const std::string& topic() const noexcept { return topic_; }
    [[nodiscard]] const std::optional<std::string>& partition_key() const noexcept { return partition_key_; }
    [[nodiscard]] const std::map<std::string, std::string>& headers() const noexcept { return headers_; }
    [[nodiscard]] std::int32_t max_retries() const noexcept { return max_retries_; }
    ///@}

private:
    Uuid id_ = Uuid::time_ordered();
    std::string aggregate_type_;
    std::string aggregate_id_;
    std::string event_type_;
    std::string event_data_;
    std::string topic_;
    std::optional<std::string> payload_; ///< bytes; event_data is the JSON null then
    std::optional<std::string> content_type_;
    bool tombstone_ = false;
    std::optional<std::string> partition_key_;
    std::map<std::string, std::string> headers_;
    std::int32_t max_retries_ = 3;
};

} // namespace outbox
