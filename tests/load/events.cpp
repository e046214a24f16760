#include "events.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace load {

std::string Ids::next() {
    std::uint64_t high = random_();
    const std::uint64_t low = (random_() & 0x3fffffffffffffff) | 0x8000000000000000;
    if (time_ordered_) {
        const auto now = std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::system_clock::now().time_since_epoch());
        last_ = std::max(last_ + 1, static_cast<std::uint64_t>(now.count()) << 12);
        high = (last_ >> 12) << 16 | 0x7000 | (last_ & 0xfff);
    } else {
        high = (high & ~std::uint64_t{0xf000}) | 0x4000;
    }
    return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, high >> 16 & 0xffff, high & 0xffff,
                       low >> 48, low & 0xffffffffffff);
}

Events::Events(const Options& options, std::uint64_t writer)
    : options_(options),
      writer_(writer),
      ids_(options.time_ordered_ids) {
    const auto own = (options.keys - writer + options.writers - 1) / options.writers;
    committed_.assign(own, 0);
    drawn_.assign(own, 0);
    constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_";
    noise_.resize(options.size + 4096);
    std::generate(noise_.begin(), noise_.end(), [&] { return letters[random_() % letters.size()]; });
}

std::vector<Event> Events::draw(std::uint64_t count) {
    for (const auto slot : touched_) { // a batch that was not committed
        drawn_[slot] = committed_[slot];
    }
    touched_.clear();
    std::vector<Event> events;
    events.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) {
        const auto slot = random_() % drawn_.size();
        touched_.push_back(slot);
        events.push_back(make(slot, ++drawn_[slot]));
    }
    return events;
}

void Events::advance() {
    for (const auto slot : touched_) {
        committed_[slot] = drawn_[slot];
    }
    touched_.clear();
}

Event Events::make(std::uint64_t slot, std::uint64_t n) {
    const auto number = slot * options_.writers + writer_;
    const auto key = fmt::format("{}{}", options_.key_prefix, number);
    const bool by_partition_key = slot % 4 == 3; // the others by their aggregate's id
    return {.id = ids_.next(),
            .aggregate_id =
                by_partition_key ? fmt::format("{}part-{}", options_.key_prefix, random_() % 1000) : key,
            .partition_key = by_partition_key ? key : "",
            .topic = options_.topics[slot % options_.topics.size()],
            .data = data_of(key, n)};
}

/// As PostgreSQL prints jsonb (short names first), so that its size is what was asked for.
std::string Events::data_of(std::string_view key, std::uint64_t n) {
    auto data = fmt::format(R"({{"n": {}, "key": "{}", "name": "Zoë \"Ö\" \\ €", "text": ")", n, key);
    constexpr std::size_t closing = 2;
    if (data.size() + closing < options_.size) {
        data.append(noise_, random_() % 4096, options_.size - data.size() - closing);
    }
    return data += "\"}";
}

std::string array_of(const std::vector<std::string_view>& elements, bool empty_is_null) {
    std::string out = "{";
    for (const auto element : elements) {
        if (out.size() > 1) {
            out += ',';
        }
        if (empty_is_null && element.empty()) {
            out += "NULL";
            continue;
        }
        out += '"';
        for (const char c : element) {
            if (c == '"' || c == '\\') {
                out += '\\';
            }
            out += c;
        }
        out += '"';
    }
    return out += '}';
}

std::string copy_line(const Event& event) {
    std::string data;
    data.reserve(event.data.size() + 8);
    for (const char c : event.data) {
        if (c == '\\') {
            data += '\\';
        }
        data += c;
    }
    return fmt::format("{}\t{}\t{}\t{}\t{}\n", event.id, event.aggregate_id,
                       event.partition_key.empty() ? "\\N" : event.partition_key, event.topic, data);
}

} // namespace load
