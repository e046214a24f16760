#pragma once

#include <outbox/core/deadline.hpp>
#include <outbox/http/request_observer.hpp>
#include <outbox/http/router.hpp>

#include <cstdint>
#include <memory>
#include <string>

namespace outbox::http {

/// Where a server listens, and what it bounds. Every limit has an answer of its own.
struct ServerOptions {
    std::string address = "127.0.0.1";             ///< IPv4 or IPv6 address, or localhost
    std::uint16_t port = 0;                        ///< 0: any free one
    const char* named_by = "PORT and SERVER_BIND"; ///< settings that name another, where this one is taken
    milliseconds request_timeout{5'000};           ///< a handler that takes longer is answered for: 503
    milliseconds header_timeout{10'000};           ///< from a request's first byte to the end of its header
    milliseconds body_timeout{30'000};             ///< from there to the end of its body
    milliseconds idle_timeout{30'000};             ///< between requests, and for the client to take an answer
    std::size_t max_connections = 1024;            ///< further ones are answered 503
    std::size_t max_header = 16'384;               ///< bytes; half of them for the first line
    std::size_t max_body = 1'048'576;              ///< bytes
    std::size_t max_bodies = 67'108'864; ///< bytes of all bodies together; the first 8 KiB of each are free
    RequestObserver* observer = nullptr; ///< outlives the server; nullptr: nobody is told
};

/// True for what ServerOptions::address may be.
bool is_address(const std::string& text);

/// True when only this machine can reach the address.
bool is_loopback(const std::string& address);

/// An HTTP/1.1 server: one I/O thread, which reads, routes and writes and never blocks; handlers run where
/// their route says. A program may have several servers, each with an address and a thread of its own.
class Server {
public:
    /// @param router  outlives the server.
    Server(ServerOptions options, const Router& router);
    ~Server();

    /// Binds and serves from then on.
    /// @throws Error (stop) when the address cannot be listened on.
    void start();

    /// The port it listens on. @pre started
    [[nodiscard]] std::uint16_t port() const noexcept;

    /// Accepts nothing more, answers what has been read, closes every connection.
    /// Stop the routes' pools after it and before its destruction.
    /// @return requests that had no answer at the deadline.
    std::size_t drain(Deadline deadline);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace outbox::http
