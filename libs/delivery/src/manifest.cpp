// The bytes of a manifest, the control record that travels in the same Kafka transaction as the events
// it names. It must stay readable for ever, by older and newer builds, so its format has a version and
// a test with fixed bytes. Numbers are varints and rows are grouped, which makes 6 to 8 bytes an event.
// A record that cannot be a manifest is never guessed at: decode() gives nothing, and the shard stops.

#include "outbox/delivery/manifest.hpp"

#include <outbox/core/event.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace outbox::delivery {
namespace {

constexpr char format_version = 1;
constexpr char topics_version = 1;

/// Appends values to a record. A number is seven bits a byte, the lowest first; a difference is folded
/// (zigzag) so that small negative ones are short as well.
class Writer {
public:
    void byte(char value) { bytes_ += value; }
    void uuid(const Uuid& id) {
        bytes_.append(reinterpret_cast<const char*>(id.bytes().data()), id.bytes().size());
    }
    void number(std::uint64_t value) {
        while (value >= 0x80) {
            bytes_ += static_cast<char>(value | 0x80);
            value >>= 7;
        }
        bytes_ += static_cast<char>(value);
    }
    void difference(std::int64_t value) {
        number((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
    }
    void text(std::string_view text) {
        number(text.size());
        bytes_ += text;
    }
    void word(std::uint32_t value) {
        for (int shift = 24; shift >= 0; shift -= 8) {
            bytes_ += static_cast<char>(value >> shift);
        }
    }
    std::string take() { return std::move(bytes_); }

private:
    std::string bytes_;
};

/// Reads what Writer wrote; after the first thing that does not fit `ok()` is false and all reads give zero.
class Reader {
public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}

    [[nodiscard]] bool ok() const { return ok_; }
    [[nodiscard]] bool at_end() const { return rest_.empty(); }

    std::uint8_t byte() {
        if (rest_.empty()) {
            ok_ = false;
            return 0;
        }
        const auto value = static_cast<std::uint8_t>(rest_.front());
        rest_.remove_prefix(1);
        return value;
    }
    Uuid uuid() {
        Uuid::Bytes bytes{};
        std::generate(bytes.begin(), bytes.end(), [this] { return byte(); });
        return Uuid(bytes);
    }
    std::uint64_t number() {
        std::uint64_t value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            const std::uint8_t next = byte();
            value |= static_cast<std::uint64_t>(next & 0x7F) << shift;
            if ((next & 0x80) == 0) {
                return value;
            }
        }
        ok_ = false;
        return 0;
    }
    std::int64_t difference() {
        const std::uint64_t value = number();
        return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
    }
    std::string text() {
        const std::uint64_t size = number();
        if (size > rest_.size()) {
            ok_ = false;
            return {};
        }
        std::string text(rest_.substr(0, size));
        rest_.remove_prefix(size);
        return text;
    }
    std::uint32_t word() {
        std::uint32_t value = 0;
        for (int i = 0; i < 4; ++i) {
            value = value << 8 | byte();
        }
        return value;
    }

private:
    std::string_view rest_;
    bool ok_ = true;
};

/// Where the run of rows ends that share bucket and outcome with the first.
std::size_t run_end(const std::vector<ManifestRow>& rows, std::size_t from) {
    std::size_t end = from;
    while (end < rows.size() && rows[end].bucket == rows[from].bucket &&
           rows[end].outcome == rows[from].outcome) {
        ++end;
    }
    return end;
}

/// Reads one run; every seq follows from the one before it.
void read_run(Reader& reader, std::vector<ManifestRow>& rows) {
    const auto bucket = static_cast<std::int16_t>(reader.byte());
    const auto outcome = static_cast<Outcome>(reader.byte());
    const std::uint64_t count = reader.number();
    std::int64_t seq = 0;
    for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
        seq = static_cast<std::int64_t>(static_cast<std::uint64_t>(seq) +
                                        static_cast<std::uint64_t>(reader.difference()));
        rows.push_back({bucket, seq, reader.word(), outcome});
    }
}

/// The header with the topics; false when it does not fit the rows, and then the manifest is refused as
/// well.
bool read_topics(std::string_view bytes, Manifest& manifest) {
    Reader reader(bytes);
    if (reader.byte() != topics_version) {
        return false;
    }
    for (std::uint64_t left = reader.number(); left > 0 && reader.ok(); --left) {
        auto name = reader.text();
        manifest.topics.push_back({std::move(name), reader.uuid()});
    }
    std::size_t at = 0;
    while (reader.ok() && !reader.at_end()) {
        const std::uint64_t topic = reader.number();
        const std::uint64_t count = reader.number();
        if (topic > manifest.topics.size() || count > manifest.rows.size() - at) {
            return false;
        }
        for (const std::size_t end = at + count; at < end; ++at) {
            manifest.rows[at].topic = static_cast<std::int16_t>(topic + ManifestRow::no_topic);
        }
    }
    return reader.ok() && at == manifest.rows.size();
}

} // namespace

std::string encode(const Manifest& manifest) {
    Writer writer;
    writer.byte(format_version);
    writer.uuid(manifest.outbox_id);
    writer.uuid(manifest.owner);
    writer.number(static_cast<std::uint64_t>(manifest.epoch));
    writer.number(static_cast<std::uint64_t>(manifest.batch));
    for (std::size_t from = 0; from < manifest.rows.size();) {
        const std::size_t end = run_end(manifest.rows, from);
        writer.byte(static_cast<char>(manifest.rows[from].bucket));
        writer.byte(static_cast<char>(manifest.rows[from].outcome));
        writer.number(end - from);
        std::int64_t previous = 0;
        for (; from < end; ++from) {
            writer.difference(static_cast<std::int64_t>(static_cast<std::uint64_t>(manifest.rows[from].seq) -
                                                        static_cast<std::uint64_t>(previous)));
            writer.word(manifest.rows[from].digest);
            previous = manifest.rows[from].seq;
        }
    }
    return writer.take();
}

std::string encode_topics(const Manifest& manifest) {
    Writer writer;
    writer.byte(topics_version);
    writer.number(manifest.topics.size());
    for (const ManifestTopic& topic : manifest.topics) {
        writer.text(topic.name);
        writer.uuid(topic.id);
    }
    const auto& rows = manifest.rows;
    for (std::size_t from = 0; from < rows.size();) {
        std::size_t end = from;
        while (end < rows.size() && rows[end].topic == rows[from].topic) {
            ++end;
        }
        writer.number(static_cast<std::uint64_t>(rows[from].topic - ManifestRow::no_topic));
        writer.number(end - from);
        from = end;
    }
    return writer.take();
}

std::optional<Manifest> decode(std::string_view bytes, std::string_view topics) {
    Reader reader(bytes);
    if (reader.byte() != format_version) {
        return std::nullopt;
    }
    Manifest manifest;
    manifest.outbox_id = reader.uuid();
    manifest.owner = reader.uuid();
    manifest.epoch = static_cast<std::int64_t>(reader.number());
    manifest.batch = static_cast<std::int64_t>(reader.number());
    while (reader.ok() && !reader.at_end()) {
        read_run(reader, manifest.rows);
    }
    const bool known = std::all_of(manifest.rows.begin(), manifest.rows.end(), [](const ManifestRow& row) {
        return row.bucket < bucket_count && row.outcome <= Outcome::skipped;
    });
    if (!reader.ok() || !known || (!topics.empty() && !read_topics(topics, manifest))) {
        return std::nullopt;
    }
    return manifest;
}

std::string encode_slot(const store::Slot& slot) {
    return fmt::format("{} {}", slot.number, slot.epoch);
}

std::optional<store::Slot> decode_slot(std::string_view text) {
    store::Slot slot;
    const char* const end = text.data() + text.size();
    const auto number = std::from_chars(text.data(), end, slot.number);
    if (number.ec != std::errc() || number.ptr == end || *number.ptr != ' ') {
        return std::nullopt;
    }
    const auto epoch = std::from_chars(number.ptr + 1, end, slot.epoch);
    return epoch.ec == std::errc() && epoch.ptr == end ? std::optional(slot) : std::nullopt;
}

std::string control_key(std::int64_t batch) {
    return std::to_string(batch % control_keys);
}

} // namespace outbox::delivery
