// The writer's one statement. Events come as arrays, one for each column, so that any number of them is
// one round trip and one prepared statement; `seq` is given out in their order, which the ORDER BY
// keeps.

#include "outbox/writer/insert.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <string_view>
#include <utility>

namespace outbox {
namespace {

/// PostgreSQL's text form of a one-dimensional array.
class ArrayLiteral {
public:
    void add(std::string_view element) {
        separate();
        text_ += '"';
        for (const char c : element) {
            if (c == '"' || c == '\\') {
                text_ += '\\';
            }
            text_ += c;
        }
        text_ += '"';
    }

    void add(const std::optional<std::string>& element) {
        if (element) {
            add(std::string_view(*element));
        } else {
            separate();
            text_ += "NULL";
        }
    }

    [[nodiscard]] std::string text() && { return text_.empty() ? "{}" : std::move(text_) + '}'; }

private:
    void separate() { text_ += text_.empty() ? '{' : ','; }

    std::string text_;
};

/// PostgreSQL's text form of bytes.
std::optional<std::string> hex_of(const std::optional<std::string>& bytes) {
    if (!bytes) {
        return std::nullopt;
    }
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text = "\\x";
    text.reserve(2 + 2 * bytes->size());
    for (const char byte : *bytes) {
        const auto value = static_cast<unsigned char>(byte);
        text += digits[value >> 4U];
        text += digits[value & 0xFU];
    }
    return text;
}

/// The headers as a JSON object; NULL without any.
std::optional<std::string> json_of(const std::map<std::string, std::string>& headers) {
    if (headers.empty()) {
        return std::nullopt;
    }
    return nlohmann::json(headers).dump();
}

} // namespace

// The serial `seq` follows the events' order: INSERT ... SELECT takes its defaults after the sort.
const char* const insert_statement =
    "INSERT INTO outbox_events"
    " (id, aggregate_type, aggregate_id, event_type, event_data, topic, partition_key, headers, max_retries,"
    " payload, content_type, tombstone)"
    " SELECT id, aggregate_type, aggregate_id, event_type, event_data, topic, partition_key, headers,"
    " max_retries, payload, content_type, tombstone FROM unnest($1::uuid[], $2::text[], $3::text[], "
    "$4::text[],"
    " $5::jsonb[], $6::text[], $7::text[], $8::jsonb[], $9::integer[], $10::bytea[], $11::text[], "
    "$12::boolean[])"
    " WITH ORDINALITY AS event (id, aggregate_type, aggregate_id, event_type, event_data, topic, "
    "partition_key,"
    " headers, max_retries, payload, content_type, tombstone, position) ORDER BY event.position";

/// Twelve array literals, in the order of the statement's parameters.
std::array<std::string, 12> insert_parameters(std::span<const Event> events) {
    std::array<ArrayLiteral, 12> columns;
    for (const Event& event : events) {
        auto column = columns.begin();
        (column++)->add(std::string_view(event.id().to_string()));
        for (const auto* field : {&event.aggregate_type(), &event.aggregate_id(), &event.event_type(),
                                  &event.event_data(), &event.topic()}) {
            (column++)->add(std::string_view(*field));
        }
        (column++)->add(event.partition_key());
        (column++)->add(json_of(event.headers()));
        (column++)->add(std::string_view(std::to_string(event.max_retries())));
        (column++)->add(hex_of(event.payload()));
        (column++)->add(event.content_type());
        column->add(event.is_tombstone() ? std::optional<std::string>("t") : std::nullopt);
    }
    std::array<std::string, 12> parameters;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        parameters[i] = std::move(columns[i]).text();
    }
    return parameters;
}

} // namespace outbox
