#pragma once

#include "client/digest.hpp"

#include <stdexcept>
#include <string>
#include <string_view>

namespace outbox::kafka {

/// The server is not convinced, or does not convince.
class SaslError final : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The client's half of SCRAM (RFC 5802, 7677), without channel binding and without I/O: first(), answer(),
/// verify(), in this order.
class ScramClient {
public:
    /// @param nonce  printable, without commas, never used before
    ScramClient(Digest digest, std::string_view user, std::string password, std::string nonce);

    /// The first message: user and nonce.
    [[nodiscard]] std::string first() const;
    /// @return the message that proves the password. @throws SaslError
    std::string answer(std::string_view server_first);
    /// Whether the server knows the password as well. @throws SaslError where it does not
    void verify(std::string_view server_final) const;

private:
    Digest digest_;
    std::string password_;
    std::string nonce_;
    std::string first_bare_;
    std::string server_signature_;
};

} // namespace outbox::kafka
