// All connections of a server. A sweep looks at their time limits every 50 ms, in place of a timer
// each. Connections beyond the limit are told so before they are closed, and beyond 64 of those nobody
// is told.

#include "connections.hpp"

#include "session.hpp"

#include <algorithm>
#include <utility>
#include <vector>

namespace outbox::http {
namespace {

/// How often the connections are looked at whether their time is over.
constexpr milliseconds sweep_period{50};
/// Connections beyond the limit that are being told so; any more are closed without a word.
constexpr std::size_t max_refusals = 64;

} // namespace

Connections::Connections(asio::io_context& io, const ServerOptions& options, const Dispatcher& dispatcher)
    : io_(io),
      options_(options),
      dispatcher_(dispatcher),
      bodies_(std::make_shared<BodyBudget>(options.max_bodies)),
      timer_(io) {}

void Connections::add(asio::ip::tcp::socket socket) {
    if (draining() || sessions_.size() >= options_.max_connections + max_refusals) {
        return; // its destructor closes it
    }
    const bool refused = sessions_.size() >= options_.max_connections;
    const auto session = std::make_shared<Session>(std::move(socket), *this);
    sessions_.insert(session);
    arm();
    if (refused) {
        session->refuse({problems::overloaded, "too many connections; nothing was changed, try again"});
    } else {
        session->start();
    }
}

void Connections::remove(const std::shared_ptr<Session>& session) {
    sessions_.erase(session);
    if (!sweeping_) {
        finish_when_answered();
    }
}

/// Starts the sweep unless it runs already; it stops by itself when nobody is connected.
void Connections::arm() {
    if (armed_) {
        return;
    }
    armed_ = true;
    timer_.expires_after(sweep_period);
    timer_.async_wait([this](const boost::system::error_code& ec) {
        armed_ = false;
        if (!ec) {
            sweep();
        }
    });
}

/// Ends what is late. Sessions that end change the set, so the late ones are collected first.
void Connections::sweep() {
    const auto now = SteadyClock::now();
    std::vector<std::shared_ptr<Session>> late; // apart, because a session that ends leaves the set
    for (const auto& session : sessions_) {
        if (session->late(now)) {
            late.push_back(session);
        }
    }
    sweeping_ = true;
    for (const auto& session : late) {
        session->time_over();
    }
    sweeping_ = false;
    finish_when_answered();
    if (!sessions_.empty()) {
        arm();
    }
}

void Connections::drain(Deadline deadline) {
    drained_by_ = deadline;
    const std::vector<std::shared_ptr<Session>> all(sessions_.begin(), sessions_.end());
    sweeping_ = true;
    for (const auto& session : all) {
        session->drain();
    }
    sweeping_ = false;
    finish_when_answered();
}

/// The last answer ends the drain; so does its deadline, and then what is left is counted as
/// unanswered.
void Connections::finish_when_answered() {
    if (!draining() || finished_) {
        return;
    }
    const auto answering =
        std::ranges::count_if(sessions_, [](const auto& session) { return session->answering(); });
    if (answering > 0 && !drained_by_->passed()) {
        return;
    }
    finished_ = true;
    unanswered_ = static_cast<std::size_t>(answering);
    for (const auto& session : std::exchange(sessions_, {})) {
        session->close();
    }
    io_.stop();
}

} // namespace outbox::http
