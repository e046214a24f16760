#include "outbox/relay/record.hpp"

#include "outbox/relay/headers.hpp"

#include <algorithm>

namespace outbox::relay {
namespace {

std::size_t varint_bytes(std::size_t value) noexcept {
    std::uint64_t zigzag = static_cast<std::uint64_t>(value) << 1;
    std::size_t bytes = 1;
    while (zigzag >= 0x80) {
        zigzag >>= 7;
        ++bytes;
    }
    return bytes;
}

std::size_t framed(std::size_t bytes) noexcept {
    return varint_bytes(bytes) + bytes;
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

kafka::Record make_record(const RecordEncoder& encoder, const store::Row& row, std::string_view topic,
                          std::int64_t now_ms, const kafka::TopicLimits& limits, Arena& arena) {
    constexpr std::int64_t first_ms = 1; // 0 means "now" to librdkafka
    constexpr std::int64_t clock_margin_ms = 1'000;
    const std::int64_t before_ms = limits.timestamp_before_max_ms;
    const std::int64_t after_ms = limits.timestamp_after_max_ms;
    const std::int64_t created_us = row.created_at_us.value_or(now_ms * 1000);
    const std::int64_t oldest = before_ms >= now_ms ? first_ms : now_ms - before_ms + clock_margin_ms;
    const std::int64_t newest =
        after_ms > 8'000'000'000'000 ? now_ms + 8'000'000'000'000 : now_ms + after_ms - clock_margin_ms;

    kafka::Record record;
    record.topic = topic;
    record.timestamp_ms = std::clamp(created_us / 1000, oldest, std::max(oldest, newest));
    const bool printable = created_us > -62'000'000'000'000'000 && created_us < 250'000'000'000'000'000;
    encoder.encode(row, printable ? created_us : record.timestamp_ms * 1000, arena, record);
    return record;
}

kafka::Record bare_record(const store::Row& row, std::string_view topic, std::int64_t now_ms, Arena& arena) {
    char* const id = arena.take(Uuid::text_size);
    row.id.write_to(id);
    kafka::Record record;
    record.topic = topic;
    record.key = row.key;
    record.value = row.data;
    record.timestamp_ms = now_ms;
    record.headers = {{headers::ce_id, {id, Uuid::text_size}}};
    return record;
}

} // namespace outbox::relay
