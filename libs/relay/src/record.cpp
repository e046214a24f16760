#include "outbox/relay/batch.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <ctime>

namespace outbox::relay {
namespace {

constexpr std::array own_headers{"ce_specversion", "ce_id",      "ce_source",       "ce_type",
                                 "ce_time",        "ce_subject", "ce_partitionkey", "content-type"};

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

std::string rfc3339(std::int64_t microseconds) {
    constexpr std::int64_t million = 1'000'000;
    auto seconds = static_cast<std::time_t>(microseconds / million);
    auto fraction = microseconds % million;
    if (fraction < 0) {
        fraction += million;
        --seconds;
    }
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, fraction);
}

/// What the row's own headers hold; a name that is the relay's cannot be taken.
void add_row_headers(Batch& batch, const store::Row& row, std::vector<kafka::Header>& headers) {
    const auto parsed = nlohmann::json::parse(row.headers, nullptr, false);
    if (!parsed.is_object()) {
        return;
    }
    for (const auto& [name, value] : parsed.items()) {
        if (value.is_null() || std::find(own_headers.begin(), own_headers.end(), name) != own_headers.end()) {
            continue;
        }
        const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
        headers.push_back({batch.keep(name), batch.keep(text)});
    }
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

kafka::Record make_record(Batch& batch, const store::Row& row, std::string_view source, std::int64_t now_ms,
                          std::int64_t before_ms, std::int64_t after_ms) {
    constexpr std::int64_t first_ms = 1; // 0 means "now" to librdkafka
    constexpr std::int64_t clock_margin_ms = 1'000;
    const std::int64_t created_us = row.created_at_us.value_or(now_ms * 1000);
    const std::int64_t oldest = before_ms >= now_ms ? first_ms : now_ms - before_ms + clock_margin_ms;
    const std::int64_t newest =
        after_ms > 8'000'000'000'000 ? now_ms + 8'000'000'000'000 : now_ms + after_ms - clock_margin_ms;

    kafka::Record record;
    record.topic = row.topic;
    record.key = row.key;
    record.value = row.data;
    record.timestamp_ms = std::clamp(created_us / 1000, oldest, std::max(oldest, newest));
    const bool printable = created_us > -62'000'000'000'000'000 && created_us < 250'000'000'000'000'000;
    record.headers = {{"ce_specversion", "1.0"},
                      {"ce_id", batch.keep(row.id.to_string())},
                      {"ce_source", source},
                      {"ce_type", row.event_type},
                      {"ce_time", batch.keep(rfc3339(printable ? created_us : record.timestamp_ms * 1000))},
                      {"ce_subject", row.aggregate_id},
                      {"ce_partitionkey", row.key},
                      {"content-type", "application/json"}};
    if (!row.headers.empty()) {
        add_row_headers(batch, row, record.headers);
    }
    return record;
}

} // namespace outbox::relay
