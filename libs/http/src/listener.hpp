#pragma once

#include "connections.hpp"

#include <cstdint>
#include <string>

namespace outbox::http {

/// Takes the connections of one address and port. No error ends it but its own close(): where descriptors or
/// memory have run out it waits a moment, and the clients wait in the backlog. Used by the I/O thread only,
/// once it is open.
class Listener {
public:
    Listener(asio::io_context& io, Connections& connections);

    /// @throws boost::system::system_error when the address cannot be listened on.
    void open(const std::string& address, std::uint16_t port);
    [[nodiscard]] std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
    /// Takes no more connections; those that are open stay.
    void close();

private:
    void accept();
    void pause();

    asio::ip::tcp::acceptor acceptor_;
    asio::steady_timer timer_;
    Connections& connections_;
    SteadyClock::time_point silent_until_{};
};

/// An IPv4 or IPv6 address, "localhost" or "ip6-localhost"; @return nullopt for anything else.
std::optional<asio::ip::address> parse_address(const std::string& text);

} // namespace outbox::http
