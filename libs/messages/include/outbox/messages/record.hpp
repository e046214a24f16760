#pragma once

#include <outbox/kafka/admin.hpp>
#include <outbox/kafka/lane.hpp>
#include <outbox/messages/arena.hpp>
#include <outbox/store/row.hpp>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace outbox::messages {

/// A row that cannot be written in the format in use; what() says why, without showing what is in it.
class Unencodable final : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Writes rows as Kafka records in one format, chosen once. Thread-safe. docs/messages.md shows each.
class RecordEncoder {
public:
    RecordEncoder() = default;
    RecordEncoder(const RecordEncoder&) = delete;
    RecordEncoder& operator=(const RecordEncoder&) = delete;
    virtual ~RecordEncoder() = default;

    /// Fills key, value and headers, the row's own headers last. They point into row, arena and this encoder.
    /// @param time_us  when the event happened, since the Unix epoch, in years 1 to 9999
    /// @throws Unencodable
    virtual void encode(const store::Row& row, std::int64_t time_us, Arena& arena,
                        kafka::Record& record) const = 0;

    /// Whether the message says when the event happened, whatever the record's timestamp is.
    [[nodiscard]] virtual bool says_time() const noexcept = 0;

    /// Whether a row's JSON becomes a part of the value, which it would spoil if it were none.
    [[nodiscard]] virtual bool embeds_data() const { return false; }
};

/// What a format needs to know beyond the row, from RELAY_FORMAT and its neighbours.
struct FormatOptions {
    std::string name = "cloudevents"; ///< cloudevents, cloudevents-structured, debezium or raw
    std::string source;               ///< ce_source
    bool event_type_header = false;   ///< debezium: `eventType` beside `id`
};

/// @pre options.name is one of those
std::unique_ptr<const RecordEncoder> make_encoder(const FormatOptions& options);

/// A record's timestamp, in milliseconds since the Unix epoch.
struct Stamp {
    std::int64_t ms = 0;
    bool outlived = false; ///< the topic would delete so old a record: this is the time of sending
};

/// Where the time at which an event happened lies within what a topic accepts, and keeps: consumers have at
/// least a day to read each record, or half of a retention that is shorter than two.
Stamp stamp_for(std::int64_t happened_ms, std::int64_t now_ms, const kafka::TopicLimits& limits) noexcept;

/// A row's record, all but its partition. Its timestamp is stamp_for() when the event happened; where that is
/// another time and the format does not say when it happened, a header does.
/// @param topic   may be another than the row's
/// @param now_ms  Unix epoch; stands in for a missing created_at
/// @param limits  what the topic accepts
/// @throws Unencodable
kafka::Record make_record(const RecordEncoder& encoder, const store::Row& row, std::string_view topic,
                          std::int64_t now_ms, const kafka::TopicLimits& limits, Arena& arena);

/// What is left of a row that cannot be encoded, for its dead letter: which event it is, its key and its
/// data.
kafka::Record bare_record(const store::Row& row, std::string_view topic, std::int64_t now_ms, Arena& arena);

/// Adds the header that says when the row's event happened, where nothing else of the record does.
void say_time(const RecordEncoder& encoder, const store::Row& row, Arena& arena, kafka::Record& record);

/// Size of a record batch that holds nothing but this record, as the broker counts it (magic 2,
/// uncompressed).
std::size_t alone_bytes(const kafka::Record& record) noexcept;

} // namespace outbox::messages
