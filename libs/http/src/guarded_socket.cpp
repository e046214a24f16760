#include "guarded_socket.hpp"

#include "outbox/http/problem.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <memory>
#include <string>

namespace outbox::http {
namespace {

constexpr int max_lingering = 64;
constexpr std::chrono::seconds linger_time{2};

std::string_view detail_of(int status) {
    switch (status) {
    case 413:
        return "the body is larger than what is accepted";
    case 414:
        return "the request target is longer than what is accepted";
    case 431:
        return "the header has too many or too long fields";
    case 501:
        return "the method is not known here";
    default:
        return "the request is not well-formed HTTP, or ended too early";
    }
}

std::string last_words(int status, std::string_view detail) {
    const Response response = problem_response({status, std::string(detail)});
    std::string text =
        fmt::format("HTTP/1.1 {} {}\r\nConnection: close\r\nContent-Type: {}\r\n"
                    "Content-Length: {}\r\n",
                    status, reason_phrase(status), response.content_type, response.body.size());
    for (const auto& [name, value] : response.headers) {
        text += fmt::format("{}: {}\r\n", name, value);
    }
    return text + "\r\n" + response.body;
}

/// True for what may be a method followed by a space.
bool begins_with_method(std::string_view input) {
    constexpr std::string_view token = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    const auto end = input.find_first_not_of(token);
    return end != 0 && end != std::string_view::npos && input[end] == ' ';
}

/// Reads and drops what the client still sends, until it closes or the time is over.
class Linger : public std::enable_shared_from_this<Linger> {
public:
    Linger(asio::ip::tcp::socket socket, Connections& connections)
        : socket_(std::move(socket)),
          timer_(socket_.get_executor()),
          connections_(connections) {
        ++connections_.lingering;
    }
    Linger(const Linger&) = delete;
    Linger& operator=(const Linger&) = delete;
    ~Linger() { --connections_.lingering; }

    void start() {
        timer_.expires_after(linger_time);
        timer_.async_wait([self = weak_from_this()](const boost::system::error_code& ec) {
            if (const auto alive = self.lock(); alive && !ec) {
                alive->close();
            }
        });
        read();
    }

private:
    void read() {
        socket_.async_read_some(
            asio::buffer(dropped_),
            [self = shared_from_this()](const boost::system::error_code& ec, std::size_t) {
                if (!ec) {
                    self->read();
                }
            });
    }
    void close() {
        boost::system::error_code ignored;
        socket_.close(ignored);
    }

    asio::ip::tcp::socket socket_;
    asio::steady_timer timer_;
    Connections& connections_;
    std::array<char, 16'384> dropped_{};
};

} // namespace

asio::execution_context::id Connections::id;
thread_local GuardedSocket* GuardedSocket::active = nullptr;

bool Connections::enter(GuardedSocket* socket) {
    const std::lock_guard lock(mutex_);
    if (open_.contains(socket)) {
        return true;
    }
    if (open_.size() >= limit_) {
        return false;
    }
    open_.insert(socket);
    return true;
}

void Connections::leave(GuardedSocket* socket) {
    const std::lock_guard lock(mutex_);
    open_.erase(socket);
}

void Connections::close_all() {
    const std::lock_guard lock(mutex_);
    limit_ = 0;
    boost::system::error_code ignored;
    for (GuardedSocket* socket : open_) {
        static_cast<GuardedSocket::Base*>(socket)->shutdown(GuardedSocket::Base::shutdown_both, ignored);
        socket->close(ignored);
    }
}

void GuardedSocket::send_continue() {
    static constexpr std::string_view text = "HTTP/1.1 100 Continue\r\n\r\n";
    boost::system::error_code ignored; // the client goes on without it after a while
    send(asio::buffer(text), 0, ignored);
}

void GuardedSocket::shutdown(shutdown_type what, boost::system::error_code& ec) {
    const bool timeout = active == nullptr;
    if (active == this && unparsed_) {
        refuse(refusal(), detail_of(refusal()));
    } else if (timeout && reading()) {
        refuse(408, "the request did not come to its end in time");
    } else if (timeout && phase_ == Phase::handler) {
        refuse(503,
               "there was no answer before the deadline, so the outcome is unknown: a change may have been "
               "made or may still be; read before you repeat the request");
    } else {
        Base::shutdown(what, ec);
    }
}

int GuardedSocket::refusal() const {
    if (refusal_ != 0) {
        return refusal_;
    }
    const bool before_target = phase_ == Phase::idle || phase_ == Phase::method;
    return before_target && begins_with_method({input_, received_}) ? 501 : 400;
}

void GuardedSocket::refuse(int status, std::string_view detail) {
    const std::string text = last_words(status, detail);
    boost::system::error_code ignored;
    non_blocking(true, ignored); // a client that reads nothing gets nothing
    send(asio::buffer(text), 0, ignored);
    Base::shutdown(shutdown_send, ignored);
    if (connections_.lingering < max_lingering) {
        // The socket moves on to be read out; what stays behind is closed.
        std::make_shared<Linger>(std::move(static_cast<Base&>(*this)), connections_)->start();
    }
}

} // namespace outbox::http
