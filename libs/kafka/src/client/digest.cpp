#include "client/digest.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>

namespace outbox::kafka {
namespace {

/// OpenSSL's type for bytes.
const unsigned char* octets(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* octets(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
}

/// @throws std::runtime_error: out of memory, or a hash that this build of OpenSSL forbids
void check(bool done) {
    if (!done) {
        throw std::runtime_error("OpenSSL cannot compute it");
    }
}

/// As many bytes as the hash has.
std::string space_for(const EVP_MD* function) {
    return std::string(static_cast<std::size_t>(EVP_MD_get_size(function)), '\0');
}

} // namespace

Digest::Digest(const std::string& name) : function_(EVP_get_digestbyname(name.c_str())) {
    if (function_ == nullptr) {
        throw std::runtime_error("OpenSSL does not know " + name);
    }
}

std::string Digest::hash(std::string_view text) const {
    std::string result = space_for(function_);
    check(EVP_Digest(text.data(), text.size(), octets(result), nullptr, function_, nullptr) == 1);
    return result;
}

std::string Digest::hmac(std::string_view key, std::string_view text) const {
    std::string result = space_for(function_);
    check(HMAC(function_, key.data(), static_cast<int>(key.size()), octets(text), text.size(), octets(result),
               nullptr) != nullptr);
    return result;
}

std::string Digest::pbkdf2(std::string_view password, std::string_view salt, int iterations) const {
    std::string result = space_for(function_);
    check(PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), octets(salt),
                            static_cast<int>(salt.size()), iterations, function_,
                            static_cast<int>(result.size()), octets(result)) == 1);
    return result;
}

bool equal(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_bytes(std::size_t count) {
    std::string bytes(count, '\0');
    check(RAND_bytes(octets(bytes), static_cast<int>(count)) == 1);
    return bytes;
}

std::string base64(std::string_view bytes) {
    std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0'); // OpenSSL ends it with a NUL
    text.resize(static_cast<std::size_t>(
        EVP_EncodeBlock(octets(text), octets(bytes), static_cast<int>(bytes.size()))));
    return text;
}

std::string from_base64(std::string_view text) {
    // OpenSSL fills the last group up; as many bytes as there are '=' do not belong to the result.
    const auto padding = static_cast<std::size_t>(std::count(text.begin(), text.end(), '='));
    std::string bytes(text.size() / 4 * 3, '\0');
    const int size = EVP_DecodeBlock(octets(bytes), octets(text), static_cast<int>(text.size()));
    if (text.empty() || padding > 2 || !text.ends_with(std::string(padding, '=')) ||
        size != static_cast<int>(bytes.size())) {
        throw std::runtime_error("this is no base64");
    }
    bytes.resize(bytes.size() - padding);
    return bytes;
}

} // namespace outbox::kafka
