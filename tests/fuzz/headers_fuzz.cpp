// A row's own headers, as any writer may have put them there: they never take the place of the relay's.
#include "expect.hpp"

#include <outbox/messages/headers.hpp>
#include <outbox/messages/record.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace {

constexpr std::int64_t now_ms = 1'700'000'000'000;

long occurrences(const outbox::kafka::Record& record, std::string_view name) {
    return std::count_if(record.headers.begin(), record.headers.end(), [&](const auto& header) {
        return outbox::messages::headers::is_same(header.name, name);
    });
}

/// nullopt: not JSON, or no object, which PostgreSQL would not have stored either.
std::optional<outbox::kafka::Record> record_with(std::string_view headers, outbox::messages::Arena& arena) {
    static const auto encoder = outbox::messages::make_encoder({.source = "source"});
    outbox::store::Row row;
    row.topic = "topic";
    row.key = "key";
    row.data = "{}";
    row.headers = headers;
    try {
        return outbox::messages::make_record(*encoder, row, row.topic, now_ms, {}, arena);
    } catch (const outbox::messages::Unencodable&) {
        return std::nullopt;
    }
}

} // namespace

// NOLINTNEXTLINE(readability-identifier-naming): libFuzzer's
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    outbox::messages::Arena arena;
    const auto made = record_with(std::string_view(reinterpret_cast<const char*>(data), size), arena);
    if (!made) {
        return 0;
    }
    const outbox::kafka::Record& record = *made;
    for (const char* own : {"ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject",
                            "ce_partitionkey", "content-type"}) {
        expect(occurrences(record, own) == 1);
    }
    std::size_t bytes = 0;
    for (const auto& header : record.headers) {
        bytes += header.name.size() + header.value.size();
    }
    expect(outbox::messages::alone_bytes(record) > bytes);
    return 0;
}
