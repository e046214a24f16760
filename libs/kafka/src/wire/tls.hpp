#pragma once

#include <outbox/core/handle.hpp>

#include <stdexcept>
#include <string>
#include <string_view>

// OpenSSL's own declarations stay in the .cpp file.
struct bio_st;
struct ssl_st;
struct ssl_ctx_st;

namespace outbox::kafka {

void destroy_session(ssl_st* session) noexcept;
void destroy_context(ssl_ctx_st* context) noexcept;

/// TLS was refused, by this side or the other; what() has the reason and no secret.
class TlsError final : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// What a TLS context is made of, from librdkafka's properties.
struct TlsOptions {
    bool verify_chain = true;
    bool verify_host = true;      ///< counts only where the chain is verified
    std::string ca = {};          ///< file or folder (PEM); empty: the system's
    std::string certificate = {}; ///< this client's own, PEM
    std::string key = {};
    std::string key_password = {};
};

/// What all sessions share. Thread-safe.
class TlsContext {
public:
    /// @throws TlsError for files that cannot be used
    explicit TlsContext(const TlsOptions& options);

private:
    friend class TlsSession;
    Handle<ssl_ctx_st, destroy_context> context_;
    bool verify_host_;
};

/// A client's session, without I/O: what the network brings is put in, what take() gives is to be sent.
/// Not thread-safe.
class TlsSession {
public:
    /// @param host  whose certificate is expected: a name or an IP address
    TlsSession(const TlsContext& context, const std::string& host);

    /// @return whether it is done; false: it needs what the peer says next. @throws TlsError
    bool handshake();

    /// Bytes that came from the network.
    void put(std::string_view received);
    /// Bytes that must go to the network now; may be empty.
    [[nodiscard]] std::string take();

    /// Text to be sent encrypted; take() has the result.
    /// @throws TlsError
    void write(std::string_view text);
    /// What has come in whole so far. @throws TlsError, also when the peer closed the session
    [[nodiscard]] std::string read();

private:
    [[noreturn]] void fail(const std::string& what) const;

    Handle<ssl_st, destroy_session> session_;
    bio_st* incoming_ = nullptr; ///< the session's
    bio_st* outgoing_ = nullptr;
};

} // namespace outbox::kafka
