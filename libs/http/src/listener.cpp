// Accepts connections. Without a pause after exhaustion the loop would spin: the kernel reports the
// same error again at once, as long as connections wait in the queue.

#include "listener.hpp"

#include <outbox/telemetry/log.hpp>

namespace outbox::http {
namespace {

/// Asio reports exhaustion at once, and again at once, for Linux takes the descriptor before it looks at the
/// queue: without the pause that is a whole processor.
constexpr milliseconds pause_time{50};
constexpr std::chrono::seconds between_logs{10};

/// The client is gone, and nothing here is exhausted.
bool concerns_one_client(const boost::system::error_code& ec) {
    return ec == asio::error::connection_aborted || ec == asio::error::connection_reset ||
           ec == asio::error::interrupted;
}

} // namespace

std::optional<asio::ip::address> parse_address(const std::string& text) {
    if (text == "localhost") {
        return asio::ip::address_v4::loopback();
    }
    if (text == "ip6-localhost") {
        return asio::ip::address_v6::loopback();
    }
    boost::system::error_code ec;
    const auto address = asio::ip::make_address(text, ec);
    return ec ? std::nullopt : std::optional(address);
}

Listener::Listener(asio::io_context& io, Connections& connections)
    : acceptor_(io),
      timer_(io),
      connections_(connections) {}

void Listener::open(const std::string& address, std::uint16_t port) {
    const asio::ip::tcp::endpoint endpoint(parse_address(address).value(), port);
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(asio::socket_base::reuse_address(true));
    acceptor_.bind(endpoint);
    acceptor_.listen();
    accept();
}

void Listener::close() {
    boost::system::error_code ignored;
    acceptor_.close(ignored);
    timer_.cancel();
}

/// Takes one connection and asks for the next.
void Listener::accept() {
    acceptor_.async_accept([this](const boost::system::error_code& ec, asio::ip::tcp::socket socket) {
        if (!acceptor_.is_open()) {
            return;
        }
        if (!ec) {
            connections_.add(std::move(socket));
        } else if (!concerns_one_client(ec)) {
            if (SteadyClock::now() >= silent_until_) {
                log::warn("no connections are taken for a moment", {{"reason", ec.message()}});
                silent_until_ = SteadyClock::now() + between_logs;
            }
            return pause();
        }
        accept();
    });
}

/// Waits a moment, then accepts again.
void Listener::pause() {
    timer_.expires_after(pause_time);
    timer_.async_wait([this](const boost::system::error_code&) {
        if (acceptor_.is_open()) {
            accept();
        }
    });
}

} // namespace outbox::http
