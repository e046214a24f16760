#pragma once

#include <outbox/core/uuid.hpp>

#include <cstdint>
#include <functional>
#include <string_view>

namespace outbox::messages {

/// A committed event on its way to Kafka, in the hands of Options::on_before_publish. It goes out as if its
/// row held what is left in it; the row itself does not change. Views live until the hook returns; what is
/// given is copied. Not thread-safe, and of no use after the hook.
class OutgoingEvent {
public:
    ///@{
    /// Of the row: the same in every attempt, but for failed_attempts().
    [[nodiscard]] const Uuid& id() const noexcept;
    [[nodiscard]] std::int64_t seq() const noexcept; ///< place in the outbox, from 1
    [[nodiscard]] std::string_view aggregate_type() const noexcept;
    [[nodiscard]] std::string_view aggregate_id() const noexcept;
    [[nodiscard]] std::string_view event_type() const noexcept;
    [[nodiscard]] std::string_view headers() const noexcept; ///< JSON object, or empty
    [[nodiscard]] std::int32_t failed_attempts() const noexcept;
    ///@}

    ///@{
    /// What may be changed, as it is now.
    [[nodiscard]] std::string_view topic() const noexcept;
    [[nodiscard]] std::string_view key() const noexcept;
    [[nodiscard]] std::string_view data() const noexcept; ///< JSON text, the bytes of a payload, or nothing
    /// What data() is: application/json; of bytes what the row says, or empty where it does not.
    [[nodiscard]] std::string_view content_type() const noexcept;
    [[nodiscard]] bool is_tombstone() const noexcept; ///< the record has no value
    ///@}

    /// Another topic, before RELAY_TOPIC_TEMPLATE is applied. One that Kafka refuses fails the event.
    void set_topic(std::string_view topic);
    /// Another key of the message, which decides its partition. Order is kept among events whose rows share a
    /// key; where several of those are mapped to one, it is not kept between them.
    void set_key(std::string_view key);
    /// Other data. In the formats cloudevents and cloudevents-structured it has to be JSON text: they say
    /// that it is, and the second fails the event where it is none.
    void set_data(std::string_view data);
    /// A value that is no JSON, sent byte for byte.
    /// @param content_type  such as `application/avro`; empty: application/octet-stream, where a format says
    /// it
    void set_bytes(std::string_view bytes, std::string_view content_type);
    /// No value at all: a compacted topic forgets the key.
    void set_tombstone();
    /// One header more, after those of the format and of the row.
    /// @param name   at least 1 character
    /// @param value  any bytes
    /// @throws std::invalid_argument when the name is empty
    void add_header(std::string_view name, std::string_view value);

    /// The event is not published: it becomes SKIPPED, with the reason as its error_message, once and for
    /// all.
    /// @throws std::invalid_argument when the reason is empty
    void skip(std::string_view reason);

    struct State; ///< The relay's own.
    /// Made by the relay alone.
    explicit OutgoingEvent(State& state) noexcept : state_(state) {}

private:
    State& state_;
};

/// Called for each event before it is published, from the threads of all the relay's shards at once: it has
/// to be thread-safe. It should be fast, since its shard waits meanwhile, and depend on nothing but the
/// event: it is called again for an event whose attempt failed or was interrupted, in this process or in
/// another relay, and only the last call counts.
///
/// What it throws is one failed attempt of that event alone: tried again after a while as RELAY_MAX_RETRIES
/// allows, then FAILED; the later events of its key wait meanwhile, those of other keys do not.
using BeforePublish = std::function<void(OutgoingEvent&)>;

} // namespace outbox::messages
