// Kafka's wire format, as far as requests need it that librdkafka does not have. Old versions of
// requests have fixed lengths and strings of 16 bits; flexible ones have "compact" lengths and tagged
// fields at the end of each structure, of which we send none and read past any.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace outbox::kafka::wire {

/// Appends values in network order. "Compact" lengths are unsigned varints of length + 1.
class Encoder {
public:
    void int8(std::int8_t value) { integer(value); }
    void int16(std::int16_t value) { integer(value); }
    void int32(std::int32_t value) { integer(value); }
    void int64(std::int64_t value) { integer(value); }
    /// A string with a length of 16 bits.
    void string(std::string_view text) {
        int16(static_cast<std::int16_t>(text.size()));
        bytes_ += text;
    }
    /// Bytes with a length of 32 bits.
    void byte_string(std::string_view bytes) {
        int32(static_cast<std::int32_t>(bytes.size()));
        bytes_ += bytes;
    }
    /// A list's length in flexible versions; 0 would mean null.
    void compact_size(std::size_t size) { varint(size + 1); }
    void compact_string(std::string_view text) {
        compact_size(text.size());
        bytes_ += text;
    }
    /// The end of a structure in flexible versions: no tagged fields.
    void no_tags() { varint(0); }

    [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }

private:
    template <class Integer>
    void integer(Integer value) {
        for (int shift = 8 * (static_cast<int>(sizeof(Integer)) - 1); shift >= 0; shift -= 8) {
            bytes_ += static_cast<char>(static_cast<std::uint64_t>(value) >> shift);
        }
    }
    void varint(std::uint64_t value) {
        for (; value >= 0x80; value >>= 7U) {
            bytes_ += static_cast<char>(value | 0x80U);
        }
        bytes_ += static_cast<char>(value);
    }

    std::string bytes_;
};

/// An answer that is shorter than it says.
class Malformed final : public std::runtime_error {
public:
    Malformed() : std::runtime_error("a broker's answer cannot be read") {}
};

/// Reads what Encoder writes. @throws Malformed past the end
class Decoder {
public:
    explicit Decoder(std::string_view bytes) : bytes_(bytes) {}

    std::int8_t int8() { return integer<std::int8_t>(); }
    std::int16_t int16() { return integer<std::int16_t>(); }
    std::int32_t int32() { return integer<std::int32_t>(); }
    std::int64_t int64() { return integer<std::int64_t>(); }
    /// nullptr and "" are one.
    std::string_view string() {
        const auto size = int16();
        return size < 0 ? std::string_view() : take(static_cast<std::size_t>(size));
    }
    /// Bytes with a length of 32 bits; null and empty are one.
    std::string_view byte_string() {
        const auto size = int32();
        return size < 0 ? std::string_view() : take(static_cast<std::size_t>(size));
    }
    /// A list's length; null and empty are one.
    std::size_t compact_size() {
        const auto size = varint();
        return size == 0 ? 0 : size - 1;
    }
    std::string_view compact_string() { return take(compact_size()); }
    /// Reads past the tagged fields of a structure.
    void tags() {
        for (auto count = varint(); count > 0; --count) {
            varint();
            take(varint());
        }
    }

private:
    std::string_view take(std::size_t size) {
        if (size > bytes_.size()) {
            throw Malformed();
        }
        const auto taken = bytes_.substr(0, size);
        bytes_.remove_prefix(size);
        return taken;
    }
    template <class Integer>
    Integer integer() {
        std::uint64_t value = 0;
        for (const char byte : take(sizeof(Integer))) {
            value = value << 8U | static_cast<unsigned char>(byte);
        }
        return static_cast<Integer>(value);
    }
    std::uint64_t varint() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const auto byte = static_cast<unsigned char>(take(1).front());
            value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
            if ((byte & 0x80U) == 0) {
                return value;
            }
        }
        throw Malformed();
    }

    std::string_view bytes_;
};

} // namespace outbox::kafka::wire
