// TLS by OpenSSL through memory: the session never touches a socket, so every wait stays with the
// caller and its deadline. OpenSSL keeps errors in a queue of the thread; it is emptied before each
// call whose error counts, because a leftover would be taken for the reason.

#include "wire/tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <filesystem>

namespace outbox::kafka {
namespace {

/// The oldest error of this thread, and none is left.
std::string reason() {
    const auto code = ERR_get_error();
    const char* text = code == 0 ? nullptr : ERR_reason_error_string(code);
    ERR_clear_error();
    return text == nullptr ? "unknown reason" : text;
}

/// @throws TlsError with OpenSSL's reason
void check(int result, const std::string& what) {
    if (result != 1) {
        throw TlsError(what + ": " + reason());
    }
}

/// In place of OpenSSL's own, which would ask at the terminal.
int give_password(char* to, int size, int, void* password) {
    const auto& text = *static_cast<const std::string*>(password);
    const auto length = std::min(text.size(), static_cast<std::size_t>(size));
    std::copy_n(text.data(), length, to);
    return static_cast<int>(length);
}

/// Which certificates vouch for brokers: a file, a folder, or the system's.
void trust(SSL_CTX* context, const std::string& ca) {
    if (ca.empty()) {
        check(SSL_CTX_set_default_verify_paths(context), "the system's certificates");
    } else if (std::filesystem::is_directory(ca)) {
        check(SSL_CTX_load_verify_dir(context, ca.c_str()), ca);
    } else {
        check(SSL_CTX_load_verify_file(context, ca.c_str()), ca);
    }
}

/// This client's own certificate, where brokers ask for one. A key that does not belong to it is told
/// here.
void identify(SSL_CTX* context, const TlsOptions& options) {
    if (!options.certificate.empty()) {
        check(SSL_CTX_use_certificate_chain_file(context, options.certificate.c_str()), options.certificate);
    }
    if (!options.key.empty()) {
        std::string password = options.key_password;
        SSL_CTX_set_default_passwd_cb(context, give_password);
        SSL_CTX_set_default_passwd_cb_userdata(context, &password);
        check(SSL_CTX_use_PrivateKey_file(context, options.key.c_str(), SSL_FILETYPE_PEM), options.key);
        SSL_CTX_set_default_passwd_cb_userdata(context, nullptr);
        check(SSL_CTX_check_private_key(context), options.key);
    }
}

/// The name also tells a host of many names which one is meant; an address cannot.
void expect_host(SSL* session, const std::string& host, bool verify) {
    X509_VERIFY_PARAM* expected = SSL_get0_param(session);
    const bool is_address = X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str()) == 1;
    ERR_clear_error();
    if (!verify) {
        X509_VERIFY_PARAM_set1_ip(expected, nullptr, 0);
    } else if (!is_address) {
        X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        check(X509_VERIFY_PARAM_set1_host(expected, host.c_str(), host.size()), "host " + host);
    }
    if (!is_address) {
        check(static_cast<int>(SSL_set_tlsext_host_name(session, host.c_str())), "host " + host);
    }
}

} // namespace

void destroy_session(ssl_st* session) noexcept {
    SSL_free(session);
}

void destroy_context(ssl_ctx_st* context) noexcept {
    SSL_CTX_free(context);
}

TlsContext::TlsContext(const TlsOptions& options)
    : context_(SSL_CTX_new(TLS_client_method())),
      verify_host_(options.verify_chain && options.verify_host) {
    check(context_ ? 1 : 0, "a TLS context");
    check(SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION), "TLS 1.2");
    SSL_CTX_set_options(context_.get(), SSL_OP_NO_RENEGOTIATION); // write() would have to wait for the peer
    if (options.verify_chain) {
        trust(context_.get(), options.ca);
    }
    SSL_CTX_set_verify(context_.get(), options.verify_chain ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
    identify(context_.get(), options);
}

TlsSession::TlsSession(const TlsContext& context, const std::string& host)
    : session_(SSL_new(context.context_.get())) {
    check(session_ ? 1 : 0, "a TLS session");
    incoming_ = BIO_new(BIO_s_mem());
    outgoing_ = BIO_new(BIO_s_mem());
    SSL_set_bio(session_.get(), incoming_, outgoing_); // takes both over
    SSL_set_connect_state(session_.get());
    expect_host(session_.get(), host, context.verify_host_);
}

void TlsSession::fail(const std::string& what) const {
    const std::string text = reason();
    const auto verified = SSL_get_verify_result(session_.get());
    throw TlsError(what + ": " + text +
                   (verified == X509_V_OK ? std::string()
                                          : std::string(": ") + X509_verify_cert_error_string(verified)));
}

bool TlsSession::handshake() {
    ERR_clear_error();
    const int done = SSL_do_handshake(session_.get());
    if (done == 1) {
        return true;
    }
    if (SSL_get_error(session_.get(), done) != SSL_ERROR_WANT_READ) {
        // Anything but "more is needed" is final.
        fail("TLS handshake failed");
    }
    return false;
}

void TlsSession::put(std::string_view received) {
    BIO_write(incoming_, received.data(), static_cast<int>(received.size()));
}

std::string TlsSession::take() {
    std::string bytes(BIO_ctrl_pending(outgoing_), '\0');
    if (!bytes.empty()) {
        BIO_read(outgoing_, bytes.data(), static_cast<int>(bytes.size()));
    }
    return bytes;
}

void TlsSession::write(std::string_view text) {
    ERR_clear_error();
    if (!text.empty() && SSL_write(session_.get(), text.data(), static_cast<int>(text.size())) <= 0) {
        fail("TLS cannot send");
    }
}

std::string TlsSession::read() {
    std::string text;
    std::array<char, 16 << 10> piece{};
    ERR_clear_error();
    while (true) {
        const int got = SSL_read(session_.get(), piece.data(), static_cast<int>(piece.size()));
        if (got > 0) {
            text.append(piece.data(), static_cast<std::size_t>(got));
            continue;
        }
        const int why = SSL_get_error(session_.get(), got);
        // The peer has closed, but what it said before that is whole and counts.
        if (why == SSL_ERROR_WANT_READ || (why == SSL_ERROR_ZERO_RETURN && !text.empty())) {
            return text;
        }
        if (why == SSL_ERROR_ZERO_RETURN) {
            throw TlsError("closed the connection");
        }
        fail("TLS cannot receive");
    }
}

} // namespace outbox::kafka
