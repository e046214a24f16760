// OpenSSL's hash functions, and what belongs to them.
#pragma once

#include <string>
#include <string_view>

struct evp_md_st; // OpenSSL's own declarations stay in the .cpp file

namespace outbox::kafka {

/// A hash function. Cheap to copy.
class Digest {
public:
    /// @param name  as OpenSSL writes it: SHA256. @throws std::runtime_error for one that it does not have
    explicit Digest(const std::string& name);

    /// The hash of a text.
    [[nodiscard]] std::string hash(std::string_view text) const;
    /// Its keyed form (RFC 2104).
    [[nodiscard]] std::string hmac(std::string_view key, std::string_view text) const;
    /// A key as long as the hash (RFC 8018).
    [[nodiscard]] std::string pbkdf2(std::string_view password, std::string_view salt, int iterations) const;

private:
    const evp_md_st* function_;
};

/// Takes as long whatever they hold.
bool equal(std::string_view a, std::string_view b) noexcept;

/// From OpenSSL's generator, which the kernel seeds.
std::string random_bytes(std::size_t count);

/// The text form of bytes, without line breaks.
std::string base64(std::string_view bytes);
/// @throws std::runtime_error for what is no base64
std::string from_base64(std::string_view text);

} // namespace outbox::kafka
