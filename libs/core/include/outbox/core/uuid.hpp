#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace outbox {

/// 128 bits in network order.
class Uuid {
public:
    /// In network order.
    using Bytes = std::array<std::uint8_t, 16>;

    /// All bits zero.
    Uuid() = default;
    /// These bytes, whatever version they say.
    explicit Uuid(const Bytes& bytes) : bytes_(bytes) {}

    /// A new version 4 (random) identifier. Thread-safe.
    [[nodiscard]] static Uuid random();

    /// A new version 7 (RFC 9562, time-ordered) identifier. Thread-safe.
    /// Keeps the primary key's index local: random keys cost full-page images.
    [[nodiscard]] static Uuid time_ordered();

    /// Canonical form only (36 characters, either case), else nullopt.
    [[nodiscard]] static std::optional<Uuid> parse(std::string_view text);

    /// As a database's binary format has them.
    [[nodiscard]] const Bytes& bytes() const noexcept { return bytes_; }
    /// Canonical form, in lower case.
    [[nodiscard]] std::string to_string() const;
    /// Writes the same `text_size` characters.
    void write_to(char* text) const noexcept;

    static constexpr std::size_t text_size = 36; ///< of the canonical form, without a NUL

    /// By the bytes: version 7 ones by their time.
    auto operator<=>(const Uuid&) const =
        default; // NOLINT(modernize-use-nullptr): the check mistakes the operator

private:
    Bytes bytes_{};
};

} // namespace outbox
