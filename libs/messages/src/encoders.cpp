// The formats, byte for byte as docs/messages.md shows them. Headers are views: they point into the
// row, into the batch's arena or at constants, so a record costs one allocation or two. A format's own
// headers come first and the row's own last, because readers take the first header of a name; a row
// cannot replace them.
#include "base64.hpp"
#include "json_text.hpp"
#include "outbox/messages/headers.hpp"
#include "outbox/messages/record.hpp"
#include "row_headers.hpp"

#include <outbox/messages/rfc3339.hpp>

#include <array>
#include <span>
#include <stdexcept>

namespace outbox::messages {
namespace {

using kafka::Header;
using kafka::Record;
using store::Row;

/// Names that a row's own headers cannot take in each format.
constexpr std::array cloudevents_names =
    std::to_array<std::string_view>({"ce_specversion", headers::ce_id, "ce_source", "ce_type", "ce_time",
                                     "ce_subject", "ce_partitionkey", headers::content_type});
constexpr std::array debezium_names =
    std::to_array<std::string_view>({headers::debezium_id, "eventType", headers::content_type});
constexpr std::array raw_names = std::to_array<std::string_view>({headers::content_type});

/// The event's id in its canonical form.
std::string_view id_text(const Row& row, Arena& arena) {
    char* const text = arena.take(Uuid::text_size);
    row.id.write_to(text);
    return {text, Uuid::text_size};
}

/// A time as RFC 3339 in UTC, to the microsecond.
std::string_view time_text(std::int64_t time_us, Arena& arena) {
    char* const text = arena.take(rfc3339_size);
    write_rfc3339(time_us, text);
    return {text, rfc3339_size};
}

/// What bytes are when their writer does not say it, as HTTP has it too.
constexpr std::string_view any_bytes = "application/octet-stream";

/// The media type of a payload of bytes.
std::string_view type_of_bytes(const Row& row) {
    return row.content_type.empty() ? any_bytes : row.content_type;
}

/// The value of the record; a tombstone has none, which is not the same as an empty one.
void set_value(const Row& row, Record& record) {
    record.value = row.data;
    record.tombstone = row.value == store::Value::none;
}

/// The row's own headers come last, and take no name of the format.
void add_row_headers(const Row& row, std::span<const std::string_view> taken, Arena& arena, Record& record) {
    if (const auto why = add_row_headers(row.headers, taken, arena, record.headers); !why.empty()) {
        throw Unencodable(why);
    }
}

/// Formats without a header for what the value is have one where the row says it.
void add_content_type(const Row& row, Record& record) {
    if (row.value == store::Value::bytes && !row.content_type.empty()) {
        record.headers.push_back({headers::content_type, row.content_type});
    }
}

/// What such a format's rows cannot take: with_type without the last one, unless that is there.
std::span<const std::string_view> taken_of(std::span<const std::string_view> with_type,
                                           const Record& record) {
    const bool typed = !record.headers.empty() && record.headers.back().name == headers::content_type;
    return typed ? with_type : with_type.first(with_type.size() - 1);
}

/// CloudEvents 1.0, Kafka binding, binary mode.
class CloudEvents final : public RecordEncoder {
public:
    explicit CloudEvents(std::string source) : source_(std::move(source)) {}

    [[nodiscard]] bool says_time() const noexcept override { return true; }

    void encode(const Row& row, std::int64_t time_us, Arena& arena, Record& record) const override {
        record.key = row.key;
        set_value(row, record);
        record.headers = {{"ce_specversion", "1.0"},
                          {headers::ce_id, id_text(row, arena)},
                          {"ce_source", source_},
                          {"ce_type", row.event_type},
                          {"ce_time", time_text(time_us, arena)},
                          {"ce_subject", row.aggregate_id},
                          {"ce_partitionkey", row.key}};
        if (row.value != store::Value::none) {
            record.headers.push_back({headers::content_type, row.value == store::Value::json
                                                                 ? "application/json"
                                                                 : type_of_bytes(row)});
        }
        add_row_headers(row, cloudevents_names, arena, record);
    }

private:
    std::string source_;
};

/// CloudEvents 1.0, Kafka binding, structured mode. An envelope is a value, so a tombstone, which has none,
/// is sent in binary mode: consumers tell the modes by the content-type of each record.
class StructuredCloudEvents final : public RecordEncoder {
public:
    explicit StructuredCloudEvents(const std::string& source) : source_(source), binary_(source) {}

    [[nodiscard]] bool embeds_data() const override { return true; }

    [[nodiscard]] bool says_time() const noexcept override { return true; }

    void encode(const Row& row, std::int64_t time_us, Arena& arena, Record& record) const override {
        if (row.value == store::Value::none) {
            binary_.encode(row, time_us, arena, record);
            return;
        }
        record.key = row.key;
        record.value = envelope(row, time_us, arena);
        record.headers = {{headers::content_type, structured_type_}};
        add_row_headers(row, cloudevents_names, arena, record);
    }

private:
    struct Attribute {
        std::string_view before; ///< as it is written in front of the value
        std::string_view value;
    };

    /// The envelope as JSON text, written at once into memory of the size that was computed for it.
    [[nodiscard]] std::string_view envelope(const Row& row, std::int64_t time_us, Arena& arena) const {
        const std::array attributes = std::to_array<Attribute>({{R"({"specversion":)", "1.0"},
                                                                {R"(,"id":)", id_text(row, arena)},
                                                                {R"(,"source":)", source_},
                                                                {R"(,"type":)", row.event_type},
                                                                {R"(,"time":)", time_text(time_us, arena)},
                                                                {R"(,"subject":)", row.aggregate_id},
                                                                {R"(,"partitionkey":)", row.key}});
        return row.value == store::Value::json
                   ? with(attributes, R"(,"datacontenttype":"application/json","data":)", row.data, "}",
                          arena)
                   : with(attributes, before_bytes(row, arena), in_base64(row.data, arena), "\"}", arena);
    }

    /// The members in front of a payload of bytes, which travels in base64.
    static std::string_view before_bytes(const Row& row, Arena& arena) {
        constexpr std::string_view before_type = R"(,"datacontenttype":)";
        constexpr std::string_view before_data = R"(,"data_base64":")";
        const std::string_view type = type_of_bytes(row);
        const std::size_t size = before_type.size() + json_text_size(type) + before_data.size();
        char* const text = arena.take(size);
        char* end = write_json_text(text + before_type.copy(text, before_type.size()), type);
        before_data.copy(end, before_data.size());
        return {text, size};
    }

    /// Bytes in base64.
    static std::string_view in_base64(std::string_view bytes, Arena& arena) {
        const std::size_t size = base64_size(bytes.size());
        char* const text = arena.take(size);
        write_base64(bytes, text);
        return {text, size};
    }

    /// Attributes, then the data; sizes are summed first so that the text is written without
    /// growing.
    static std::string_view with(std::span<const Attribute> attributes, std::string_view before_data,
                                 std::string_view data, std::string_view after_data, Arena& arena) {
        std::size_t size = before_data.size() + data.size() + after_data.size();
        for (const Attribute& attribute : attributes) {
            size += attribute.before.size() + json_text_size(attribute.value);
        }
        char* const text = arena.take(size);
        char* end = text;
        for (const Attribute& attribute : attributes) {
            end += attribute.before.copy(end, attribute.before.size());
            end = write_json_text(end, attribute.value);
        }
        end += before_data.copy(end, before_data.size());
        end += data.copy(end, data.size());
        after_data.copy(end, after_data.size());
        return {text, size};
    }

    std::string source_;
    CloudEvents binary_;
    std::string structured_type_ = std::string(headers::structured_event) + "; charset=UTF-8";
};

/// As Debezium's outbox event router sends the same row.
class Debezium final : public RecordEncoder {
public:
    explicit Debezium(bool event_type) : event_type_(event_type) {}

    [[nodiscard]] bool says_time() const noexcept override { return false; }

    void encode(const Row& row, std::int64_t, Arena& arena, Record& record) const override {
        record.key = row.aggregate_id;
        set_value(row, record);
        record.headers.push_back({headers::debezium_id, id_text(row, arena)});
        if (event_type_) {
            record.headers.push_back({"eventType", row.event_type});
        }
        add_content_type(row, record);
        add_row_headers(row, taken_of(debezium_names, record), arena, record);
    }

private:
    bool event_type_;
};

/// The event alone.
class Raw final : public RecordEncoder {
public:
    [[nodiscard]] bool says_time() const noexcept override { return false; }

    void encode(const Row& row, std::int64_t, Arena& arena, Record& record) const override {
        record.key = row.key;
        set_value(row, record);
        add_content_type(row, record);
        add_row_headers(row, taken_of(raw_names, record), arena, record);
    }
};

} // namespace

std::unique_ptr<const RecordEncoder> make_encoder(const FormatOptions& options) {
    if (options.name == "cloudevents") {
        return std::make_unique<CloudEvents>(options.source);
    }
    if (options.name == "cloudevents-structured") {
        return std::make_unique<StructuredCloudEvents>(options.source);
    }
    if (options.name == "debezium") {
        return std::make_unique<Debezium>(options.event_type_header);
    }
    if (options.name == "raw") {
        return std::make_unique<Raw>();
    }
    throw std::logic_error(options.name + " is not a format");
}

} // namespace outbox::messages
