#pragma once

#include "body_budget.hpp"

#include <outbox/http/dispatcher.hpp>
#include <outbox/http/server.hpp>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <unordered_set>

namespace outbox::http {

namespace asio = boost::asio;

class Session;

/// The connections of one server, and what they share. Used by the I/O thread only.
class Connections {
public:
    Connections(asio::io_context& io, const ServerOptions& options, const Dispatcher& dispatcher);

    /// Serves a connection that was accepted; one too many is told so and closed.
    void add(asio::ip::tcp::socket socket);
    /// Forgets a connection; called by the session as its last act.
    void remove(const std::shared_ptr<Session>& session);

    /// Ends what waits for nothing but its client's next words. What has been read is answered, until the
    /// deadline; then every connection is closed and the loop stops.
    void drain(Deadline deadline);
    [[nodiscard]] bool draining() const noexcept { return drained_by_.has_value(); }
    /// Requests that had no answer when the drain's deadline passed.
    [[nodiscard]] std::size_t unanswered() const noexcept { return unanswered_; }

    [[nodiscard]] const ServerOptions& options() const noexcept { return options_; }
    [[nodiscard]] const Dispatcher& dispatcher() const noexcept { return dispatcher_; }
    [[nodiscard]] const std::shared_ptr<BodyBudget>& bodies() const noexcept { return bodies_; }

private:
    void arm();
    void sweep();
    void finish_when_answered();

    asio::io_context& io_;
    const ServerOptions& options_;
    const Dispatcher& dispatcher_;
    const std::shared_ptr<BodyBudget> bodies_;
    asio::steady_timer timer_;
    bool armed_ = false;
    std::unordered_set<std::shared_ptr<Session>> sessions_;
    std::optional<Deadline> drained_by_;
    std::size_t unanswered_ = 0;
    bool sweeping_ = false; ///< many may end at once: whether that was the last is asked afterwards
    bool finished_ = false;
};

} // namespace outbox::http
