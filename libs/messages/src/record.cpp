// A row as a Kafka record, as far as all formats agree: its timestamp, its size, and the header that
// says when an event happened where nothing else does. The timestamp matters more than it seems: a
// broker deletes records by it, so an event that waited longer than its topic keeps records gets the
// time of sending.

#include "outbox/messages/record.hpp"

#include "outbox/messages/headers.hpp"

#include <outbox/messages/rfc3339.hpp>

#include <algorithm>

namespace outbox::messages {
namespace {

/// Bytes that Kafka's varint takes for a length.
std::size_t varint_bytes(std::size_t value) noexcept {
    std::uint64_t zigzag = static_cast<std::uint64_t>(value) << 1;
    std::size_t bytes = 1;
    while (zigzag >= 0x80) {
        zigzag >>= 7;
        ++bytes;
    }
    return bytes;
}

/// Bytes of a field with its length in front.
std::size_t framed(std::size_t bytes) noexcept {
    return varint_bytes(bytes) + bytes;
}

/// Whether its year has four digits.
bool printable(std::int64_t time_us) noexcept {
    return time_us > -62'000'000'000'000'000 && time_us < 250'000'000'000'000'000;
}

} // namespace

std::size_t alone_bytes(const kafka::Record& record) noexcept {
    constexpr std::size_t batch_header = 61;
    constexpr std::size_t attributes_and_deltas = 3;
    std::size_t body = attributes_and_deltas + framed(record.key.size()) + framed(record.value.size()) +
                       varint_bytes(record.headers.size());
    for (const kafka::Header& header : record.headers) {
        body += framed(header.name.size()) + framed(header.value.size());
    }
    return batch_header + framed(body);
}

Stamp stamp_for(std::int64_t happened_ms, std::int64_t now_ms, const kafka::TopicLimits& limits) noexcept {
    constexpr std::int64_t first_ms = 1; // 0 means "now" to librdkafka
    constexpr std::int64_t clock_margin_ms = 1'000;
    constexpr std::int64_t far_ms = 8'000'000'000'000;
    constexpr std::int64_t day_ms = 24LL * 3'600'000;
    const std::int64_t before_ms = limits.timestamp_before_max_ms;
    const std::int64_t after_ms = limits.timestamp_after_max_ms;
    // A broker compares with its own clock, so a second of margin is left on both sides.
    const std::int64_t oldest = before_ms >= now_ms ? first_ms : now_ms - before_ms + clock_margin_ms;
    const std::int64_t newest = now_ms + (after_ms > far_ms ? far_ms : after_ms - clock_margin_ms);
    const std::int64_t moved = std::clamp(happened_ms, oldest, std::max(oldest, newest));
    // Consumers get at least a day to read a record, or half of what the topic keeps when that is
    // less.
    const std::int64_t time_to_read = std::min(day_ms, limits.kept_ms / 2);
    const bool outlived = now_ms - moved > limits.kept_ms - time_to_read;
    return {outlived ? now_ms : moved, outlived};
}

kafka::Record make_record(const RecordEncoder& encoder, const store::Row& row, std::string_view topic,
                          std::int64_t now_ms, const kafka::TopicLimits& limits, Arena& arena) {
    const std::int64_t created_us = row.created_at_us.value_or(now_ms * 1000);
    kafka::Record record;
    record.topic = topic;
    record.timestamp_ms = stamp_for(created_us / 1000, now_ms, limits).ms;
    encoder.encode(row, printable(created_us) ? created_us : record.timestamp_ms * 1000, arena, record);
    say_time(encoder, row, arena, record);
    return record;
}

kafka::Record bare_record(const store::Row& row, std::string_view topic, std::int64_t now_ms, Arena& arena) {
    char* const id = arena.take(Uuid::text_size);
    row.id.write_to(id);
    kafka::Record record;
    record.topic = topic;
    record.key = row.key;
    record.value = row.data;
    record.tombstone = row.value == store::Value::none;
    record.timestamp_ms = now_ms;
    record.headers = {{headers::ce_id, {id, Uuid::text_size}}};
    return record;
}

void say_time(const RecordEncoder& encoder, const store::Row& row, Arena& arena, kafka::Record& record) {
    if (encoder.says_time() || !row.created_at_us || !printable(*row.created_at_us) ||
        record.timestamp_ms == *row.created_at_us / 1000) {
        return;
    }
    const auto said = [](const kafka::Header& header) { return header.name == headers::created_at; };
    if (std::none_of(record.headers.begin(), record.headers.end(), said)) {
        char* const text = arena.take(rfc3339_size);
        write_rfc3339(*row.created_at_us, text);
        record.headers.push_back({headers::created_at, {text, rfc3339_size}});
    }
}

} // namespace outbox::messages
