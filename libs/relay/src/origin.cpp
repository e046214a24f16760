#include "outbox/relay/origin.hpp"

#include "outbox/relay/headers.hpp"

#include <nlohmann/json.hpp>

namespace outbox::relay {
namespace {

std::optional<Uuid> id_in_envelope(std::string_view value) {
    const auto envelope = nlohmann::json::parse(value, nullptr, false);
    if (!envelope.is_object()) {
        return std::nullopt;
    }
    const auto id = envelope.find("id");
    return id != envelope.end() && id->is_string() ? Uuid::parse(id->get_ref<const std::string&>())
                                                   : std::nullopt;
}

std::optional<Uuid> id_told_by(const kafka::Header& header, std::string_view value) {
    if (header.name == headers::ce_id || header.name == headers::debezium_id) {
        return Uuid::parse(header.value);
    }
    const bool structured =
        header.name == headers::content_type && header.value.starts_with(headers::structured_event);
    return structured ? id_in_envelope(value) : std::nullopt;
}

} // namespace

/// A format's own headers come first, so the first one that tells is not a row's. Backfill's come last.
Origin origin_of(std::span<const kafka::Header> record_headers, std::string_view value) {
    Origin origin;
    for (const kafka::Header& header : record_headers) {
        if (!origin.event) {
            origin.event = id_told_by(header, value);
        }
        if (header.name == headers::error_class && header.value == headers::error_class_here) {
            origin.dead_letter = true;
        }
        if (header.name == headers::original_id) {
            const auto original = Uuid::parse(header.value);
            origin.event = origin.event ? origin.event : original;
            origin.replay = original && original == origin.event; // else a row's own header
        }
    }
    return origin;
}

} // namespace outbox::relay
