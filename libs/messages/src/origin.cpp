// Reads back which event a record is. reconcile asks this of every record of a topic, in any format and
// by whomever it was written, so nothing is believed beyond what our own formats say in their own
// headers.

#include "outbox/messages/origin.hpp"

#include "outbox/messages/headers.hpp"

#include <outbox/core/json.hpp>

#include <algorithm>
#include <array>

namespace outbox::messages {
namespace {

/// Ends at the envelope's member `id`: what stands behind it, such as the event itself, is not read.
class IdFinder final : public json::Visitor {
public:
    [[nodiscard]] const std::optional<Uuid>& found() const { return found_; }

    bool open_object() override { return open(true); }
    bool close_object() override { return close(); }
    bool open_array() override { return open(false); }
    bool close_array() override { return close(); }
    bool name(std::string_view text) override {
        is_next_ = depth_ == 1 && text == "id";
        return true;
    }
    bool scalar(json::Kind kind, std::string_view text) override {
        if (is_next_ && kind == json::Kind::string) {
            found_ = Uuid::parse(text);
        }
        return depth_ > 0 && !is_next_;
    }

private:
    bool open(bool object) {
        const bool more = !is_next_ && (depth_ > 0 || object);
        ++depth_;
        return more;
    }
    bool close() {
        --depth_;
        return true;
    }

    std::size_t depth_ = 0;
    bool is_next_ = false;
    std::optional<Uuid> found_;
};

/// The id of a structured CloudEvent; nullopt for what is none.
std::optional<Uuid> id_in_envelope(std::string_view value) {
    IdFinder finder;
    json::read(value, finder);
    return finder.found();
}

/// What one header says about the event, by the names of the formats.
std::optional<Uuid> id_told_by(const kafka::Header& header, std::string_view value) {
    if (header.name == headers::ce_id || header.name == headers::debezium_id) {
        return Uuid::parse(header.value);
    }
    const bool structured =
        header.name == headers::content_type && header.value.starts_with(headers::structured_event);
    return structured ? id_in_envelope(value) : std::nullopt;
}

/// A dead letter's last headers are all those that the relay puts there, and only those.
bool is_dead_letter(std::span<const kafka::Header> record_headers) {
    constexpr std::size_t count = headers::dead_letter.size();
    if (record_headers.size() < count) {
        return false;
    }
    const auto last = record_headers.last(count);
    return std::equal(last.begin(), last.end(), headers::dead_letter.begin(),
                      [](const kafka::Header& header, std::string_view name) {
                          return header.name == name &&
                                 (name != headers::error_class || header.value == headers::error_class_here);
                      });
}

} // namespace

/// A format's own headers come first, so the first one that tells is not a row's. Backfill's come last.
Origin origin_of(std::span<const kafka::Header> record_headers, std::string_view value) {
    Origin origin;
    origin.dead_letter = is_dead_letter(record_headers);
    for (const kafka::Header& header : record_headers) {
        if (!origin.event) {
            origin.event = id_told_by(header, value);
        }
        if (header.name == headers::original_id) {
            const auto original = Uuid::parse(header.value);
            origin.event = origin.event ? origin.event : original;
            origin.replay = original && original == origin.event; // else a row's own header
        }
    }
    return origin;
}

} // namespace outbox::messages
