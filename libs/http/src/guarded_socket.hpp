#pragma once

#include "boost_asio.hpp"

#include <mutex>
#include <set>
#include <string_view>

namespace outbox::http {

namespace asio = boost::asio;

class GuardedSocket;

/// What the sockets of one server share. Lives in its io_context, which one thread runs. Sockets may leave on
/// other threads: a worker can be the last to hold a connection.
class Connections final : public asio::execution_context::service {
public:
    static asio::execution_context::id id;

    explicit Connections(asio::execution_context& context) : service(context) {}

    void limit(std::size_t connections) { limit_ = connections; }
    /// @return false when there are too many already.
    bool enter(GuardedSocket* socket);
    void leave(GuardedSocket* socket);
    /// Closes every connection; further ones are closed as they come.
    void close_all();

    int lingering = 0; ///< refused connections that are being read to their end

private:
    void shutdown() override {}

    std::mutex mutex_;
    std::size_t limit_ = 0;
    std::set<GuardedSocket*> open_;
};

/// RESTinio answers nothing to what it cannot parse, and has no answer to `Expect: 100-continue`: it just
/// closes. This socket notices, from inside the connection's own calls, and answers in its place:
///  - a close in the middle of a message becomes 400, 413, 414, 431 or 501, then the rest is read and
///  dropped,
///    for a close with unread input would be a reset that takes the answer with it;
///  - a timeout becomes 408 when the message has not come to its end, 503 when its answer has not come;
///  - one connection too many becomes 503.
/// Used by the I/O thread only, but for its destructor.
class GuardedSocket : public asio::ip::tcp::socket {
public:
    using Base = asio::ip::tcp::socket;

    explicit GuardedSocket(asio::io_context& context)
        : Base(context),
          connections_(asio::use_service<Connections>(context)) {}
    GuardedSocket(GuardedSocket&& other) noexcept
        : Base(static_cast<Base&&>(other)),
          connections_(other.connections_) {}
    GuardedSocket& operator=(GuardedSocket&&) = delete;
    ~GuardedSocket() { connections_.leave(this); }

    /// The socket whose bytes are being parsed on this thread; nullptr outside of that.
    static GuardedSocket* current() noexcept { return active; }

    void message_began() noexcept {
        phase_ = Phase::method;
        unparsed_ = true;
    }
    void method_known() noexcept { phase_ = Phase::message; }
    void message_ended() noexcept {
        phase_ = Phase::handler;
        unparsed_ = false;
    }
    /// The status for the message that is being parsed, should it be refused.
    void refuse_with(int status) noexcept { refusal_ = status; }
    /// Sends `100 Continue`.
    void send_continue();

    // RESTinio calls these through its template parameter; they hide those of the base.
    template <class Buffers, class Handler>
    void async_read_some(const Buffers& buffers, Handler&& handler) {
        if (!connections_.enter(this)) {
            refuse(503, "too many connections; try again");
            asio::post(this->get_executor(), [kept = std::forward<Handler>(handler)]() mutable {
                kept(boost::system::error_code(asio::error::operation_aborted), 0);
            });
            return;
        }
        input_ = static_cast<const char*>(buffers.data());
        Base::async_read_some(buffers, watched(std::forward<Handler>(handler), true));
    }
    template <class Buffers, class Handler>
    void async_write_some(const Buffers& buffers, Handler&& handler) {
        phase_ = Phase::idle;
        Base::async_write_some(buffers, watched(std::forward<Handler>(handler), false));
    }
    void shutdown(shutdown_type what, boost::system::error_code& ec);

private:
    /// What the connection waits for, or parses.
    enum class Phase { idle, method, message, handler };

    /// Input is parsed from inside the handlers of reads and, for pipelined requests, of writes.
    template <class Handler>
    auto watched(Handler&& handler, bool is_read) {
        auto executor = asio::get_associated_executor(handler, this->get_executor());
        return asio::bind_executor(
            executor, [this, is_read, kept = std::forward<Handler>(handler)](
                          const boost::system::error_code& ec, std::size_t bytes) mutable {
                active = this;
                received_ = is_read ? bytes : 0;
                unparsed_ = is_read && (!ec || (ec == asio::error::eof && reading()));
                kept(ec, bytes); // holds the connection, and with it this socket, until it is destroyed
                active = nullptr;
            });
    }
    [[nodiscard]] bool reading() const noexcept {
        return phase_ == Phase::method || phase_ == Phase::message;
    }
    [[nodiscard]] int refusal() const;
    void refuse(int status, std::string_view detail);

    static thread_local GuardedSocket* active;

    Connections& connections_;
    Phase phase_ = Phase::idle;
    bool unparsed_ = false; ///< there is input that no complete message has accounted for
    int refusal_ = 0;
    const char* input_ = nullptr; ///< RESTinio's buffer, which outlives every read
    std::size_t received_ = 0;    ///< bytes that the last read has put there
};

} // namespace outbox::http
