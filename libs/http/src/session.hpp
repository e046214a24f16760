#pragma once

#include "connections.hpp"
#include "request_reader.hpp"

#include <boost/beast/core/flat_buffer.hpp>

#include <memory>
#include <optional>
#include <string>

namespace outbox::http {

/// One connection: reads a request, hands it over, writes its answer, and begins again. Every wait is
/// asynchronous and has a time at which it is over. Used by the I/O thread only.
class Session : public std::enable_shared_from_this<Session> {
public:
    Session(asio::ip::tcp::socket socket, Connections& connections);

    /// Waits for the first request.
    void start();
    /// Says what is wrong, and closes.
    void refuse(const Problem& problem);

    /// Whether the present state has lasted longer than it may.
    [[nodiscard]] bool late(SteadyClock::time_point now) const noexcept { return now >= time_limit_; }
    /// Ends the wait whose time is over.
    void time_over();
    /// Ends it unless a request has been read whose answer is not written yet.
    void drain();
    /// Closes the connection at once, whatever it was doing, and leaves Connections.
    void close();
    /// True from a whole request to the last byte of its answer.
    [[nodiscard]] bool answering() const noexcept {
        return state_ == State::handling || state_ == State::writing;
    }

private:
    static constexpr std::string_view unknown_part = "(none)";

    enum class State {
        idle,     ///< between requests
        reading,  ///< within one
        handling, ///< the request is with its handler
        writing,  ///< an answer
        closing,  ///< nothing more is said; what the client still sends is dropped, until it closes, too
        closed
    };

    void enter(State state, milliseconds time);
    void read_more();
    void on_read(const boost::system::error_code& ec, std::size_t bytes);
    void on_end_of_input();
    void advance();
    void ask_for_body();
    void hand_over();
    void answer(const Response& response);
    void write(const Response& response, bool keep_alive);
    void on_written(const boost::system::error_code& ec, bool keep_alive);
    void begin_request();
    void finish();
    void note_request(const Request& request);
    void note_answer(int status);
    void end_flight();

    asio::ip::tcp::socket socket_;
    Connections& connections_;
    State state_ = State::idle;
    SteadyClock::time_point time_limit_ = SteadyClock::time_point::max();
    boost::beast::flat_buffer input_;
    std::optional<RequestReader> reader_;
    bool to_head_ = false;
    bool safe_ = false; ///< the request changes nothing, whatever becomes of it
    bool keep_alive_ = false;
    int version_ = 11;
    bool asking_ = false; ///< `100 Continue` is being written
    bool read_pending_ = false;
    std::string output_;

    ///@{
    /// For the observer.
    std::string_view route_ = unknown_part;
    std::string_view method_ = unknown_part;
    std::optional<SteadyClock::time_point> began_;
    bool in_flight_ = false;
    ///@}
};

} // namespace outbox::http
