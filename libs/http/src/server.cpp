// The server: one thread that runs the I/O loop, a listener, the connections, the dispatcher. The limit
// of file descriptors is raised where it is too low for the connections allowed, and else their number
// lowered, so that the database and the log always find one.

#include "outbox/http/server.hpp"

#include "connections.hpp"
#include "listener.hpp"

#include <outbox/core/error.hpp>
#include <outbox/http/dispatcher.hpp>
#include <outbox/telemetry/log.hpp>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/system_error.hpp>
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <thread>

namespace outbox::http {
namespace {

/// Makes room for the connections wished for, and for what else needs descriptors: database, log, refusals.
/// @return how many connections there is room for.
std::size_t room_for_connections(std::size_t wished) {
    constexpr rlim_t others = 512;
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return wished; // a sandbox may forbid to ask
    }
    const rlim_t wanted = wished + others;
    if (limit.rlim_cur >= wanted) {
        return wished;
    }
    const rlimit raised{std::min(wanted, limit.rlim_max), limit.rlim_max};
    const rlim_t allowed = setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
    if (allowed == wanted) {
        return wished;
    }
    const std::size_t room = std::min<std::size_t>(wished, allowed - std::min(others, allowed / 2));
    log::warn("too few file descriptors for the connections allowed",
              {{"descriptors", allowed}, {"connections", room}, {"wanted", wished}});
    return room;
}

} // namespace

/// What makes a server, in the order in which its parts need each other.
struct Server::Impl {
    Impl(ServerOptions given, const Router& router) : options(std::move(given)), dispatcher(router) {}

    ServerOptions options;
    const Dispatcher dispatcher;
    asio::io_context io{1};
    Connections connections{io, options, dispatcher};
    Listener listener{io, connections};
    asio::executor_work_guard<asio::io_context::executor_type> busy{io.get_executor()};
    std::uint16_t port = 0;
    std::jthread thread;
};

bool is_address(const std::string& text) {
    return parse_address(text).has_value();
}

bool is_loopback(const std::string& address) {
    const auto parsed = parse_address(address);
    return parsed && parsed->is_loopback();
}

Server::Server(ServerOptions options, const Router& router)
    : impl_(std::make_unique<Impl>(std::move(options), router)) {}

Server::~Server() {
    drain(Deadline::in(milliseconds::zero()));
}

/// Listens, then starts the I/O thread: a port that is taken is told to the caller, before anything
/// runs.
void Server::start() {
    ServerOptions& options = impl_->options;
    options.max_connections = room_for_connections(options.max_connections);
    try {
        impl_->listener.open(options.address, options.port);
    } catch (const boost::system::system_error& error) {
        throw Error(Action::stop,
                    fmt::format("cannot listen on {} port {}: {}; {} name another", options.address,
                                options.port, error.code().message(), options.named_by));
    }
    impl_->port = impl_->listener.port();
    impl_->thread = std::jthread([this] { impl_->io.run(); });
}

std::uint16_t Server::port() const noexcept {
    return impl_->port;
}

/// No new connections; answers that are due are given until the deadline. Returns how many requests got
/// none.
std::size_t Server::drain(Deadline deadline) {
    if (!impl_->thread.joinable()) {
        return 0;
    }
    // Draining happens on the I/O thread; when it is done the loop stops, and the thread ends.
    asio::post(impl_->io, [this, deadline] {
        impl_->listener.close();
        impl_->connections.drain(deadline);
    });
    impl_->thread.join();
    return impl_->connections.unanswered();
}

} // namespace outbox::http
