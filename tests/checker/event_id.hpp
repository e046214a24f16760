#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace checker {

/// A UUID as its 16 bytes.
struct EventId {
    std::array<unsigned char, 16> bytes{};

    friend bool operator==(const EventId&, const EventId&) = default;
    friend bool operator<(const EventId& a, const EventId& b) { return a.bytes < b.bytes; }

    /// Text of 32 hexadecimal digits in groups of 8-4-4-4-12; nothing for anything else.
    [[nodiscard]] static std::optional<EventId> parse(std::string_view text) noexcept;
    [[nodiscard]] std::string text() const;
};

struct EventIdHash {
    std::size_t operator()(const EventId& id) const noexcept {
        return std::hash<std::string_view>{}(
            {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()});
    }
};

} // namespace checker
