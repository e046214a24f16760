// One HTTP connection as a state machine: read a request, hand it to its route, write the answer, begin
// again. Everything runs on the I/O thread and nothing blocks; handlers run elsewhere and their answers
// come back through the executor. Each state has a time at which it is over, and Connections looks
// after that. A request that was refused ends the connection, because what follows it cannot be told
// apart.

#include "session.hpp"

#include "answer_text.hpp"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/write.hpp>

#include <algorithm>
#include <array>
#include <ctime>
#include <utility>

namespace outbox::http {
namespace {

using ErrorCode = boost::system::error_code;

/// What a worker may take beyond the deadline to say so itself, before the connection says it in its place.
constexpr milliseconds late_answer{500};
/// How long a connection that was answered for the last time is read on, for a close with input that was not
/// read would be a reset, which takes the answer with it.
constexpr milliseconds closing_time{2'000};
constexpr std::size_t head_read = 4'096;
constexpr std::size_t body_read = 16'384;

/// What the buffer holds, as text.
std::string_view view(const boost::beast::flat_buffer& buffer) {
    const auto data = buffer.data();
    return {static_cast<const char*>(data.data()), data.size()};
}

} // namespace

Session::Session(asio::ip::tcp::socket socket, Connections& connections)
    : socket_(std::move(socket)),
      connections_(connections) {
    ErrorCode ignored; // only speed depends on it
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
}

/// Every state has its own time limit, counted from its beginning.
void Session::enter(State state, milliseconds time) {
    state_ = state;
    time_limit_ = SteadyClock::now() + time;
}

/// Waits for the first request of the connection.
void Session::start() {
    begin_request();
}

void Session::begin_request() {
    const ServerOptions& options = connections_.options();
    reader_.emplace(RequestLimits{options.max_header, options.max_body}, connections_.bodies());
    route_ = method_ = unknown_part;
    began_.reset();
    to_head_ = false; // what is refused before its method is known is answered with a body
    version_ = 11;
    enter(State::idle, options.idle_timeout);
    advance();
}

/// Asks for more bytes, unless that is under way already. While a connection is closing they are
/// dropped.
void Session::read_more() {
    if (read_pending_) {
        return;
    }
    std::size_t room = body_read;
    if (state_ == State::closing) {
        input_.clear();
    } else {
        const bool in_body = reader_->progress() == RequestReader::Progress::body;
        room = std::min(reader_->window() - input_.size(), in_body ? body_read : head_read);
    }
    read_pending_ = true;
    socket_.async_read_some(input_.prepare(room),
                            [self = shared_from_this()](const ErrorCode& ec, std::size_t bytes) {
                                self->read_pending_ = false;
                                self->on_read(ec, bytes);
                            });
}

void Session::on_read(const ErrorCode& ec, std::size_t bytes) {
    switch (state_) {
    case State::idle:
    case State::reading:
        if (ec == asio::error::eof) {
            on_end_of_input();
        } else if (ec) {
            close();
        } else {
            input_.commit(bytes);
            advance();
        }
        break;
    case State::closing:
        ec ? close() : read_more();
        break;
    case State::handling:
    case State::writing: // the request was refused while it came
    case State::closed:
        break;
    }
}

/// Between two requests a client may go; within one it must not.
void Session::on_end_of_input() {
    if (state_ == State::idle) {
        close();
    } else {
        refuse({problems::malformed_request, "the request ended too early"});
    }
}

/// Takes as much of the input as makes sense now, and does what follows from it.
void Session::advance() {
    using Progress = RequestReader::Progress;
    const ServerOptions& options = connections_.options();
    while (true) {
        const Progress before = reader_->progress();
        input_.consume(reader_->take(view(input_)));
        switch (reader_->progress()) {
        case Progress::nothing:
            return read_more();
        case Progress::head:
            if (before == Progress::nothing) {
                enter(State::reading, options.header_timeout);
            }
            return read_more();
        case Progress::body:
            if (before == Progress::body) {
                return read_more();
            }
            enter(State::reading, options.body_timeout);
            if (input_.size() == 0) {
                return reader_->framing().expects_continue ? ask_for_body() : read_more();
            }
            break; // what came with the head is part of the body
        case Progress::complete:
            return hand_over();
        case Progress::refused:
            return refuse(reader_->problem());
        }
    }
}

/// The client waits for a word before it sends its body; a refusal would have come instead of it.
void Session::ask_for_body() {
    static constexpr std::string_view text = "HTTP/1.1 100 Continue\r\n\r\n";
    asking_ = true;
    asio::async_write(socket_, asio::buffer(text),
                      [self = shared_from_this()](const ErrorCode& ec, std::size_t) {
                          self->asking_ = false;
                          if (self->state_ == State::reading) {
                              ec ? self->close() : self->read_more();
                          }
                      });
}

/// The request is whole: from here on the client gets an answer, by the handler or by time_over().
void Session::hand_over() {
    const milliseconds timeout = connections_.options().request_timeout;
    keep_alive_ = reader_->framing().keep_alive;
    version_ = reader_->version();
    Request request = reader_->take_request();
    request.deadline = Deadline::in(timeout);
    to_head_ = request.method == "HEAD";
    safe_ = to_head_ || request.method == "GET";
    // The body's share of memory goes with the handler, and is given back when the answer is made.
    const auto share = std::make_shared<BodyShare>(reader_->take_share());
    reader_.reset();
    enter(State::handling, timeout + late_answer);
    note_request(request);
    // Weak, for a worker must not be the last to hold a socket.
    connections_.dispatcher().dispatch(
        std::move(request),
        [weak = weak_from_this(), executor = socket_.get_executor(), share](Response response) {
            asio::dispatch(executor, [weak, response = std::move(response)] {
                if (const auto self = weak.lock()) {
                    self->answer(response);
                }
            });
        });
}

namespace {

/// Somebody else's words must not become a label.
std::string_view known_method(std::string_view method) {
    constexpr std::array known{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    const auto* const found = std::ranges::find(known, method);
    return found == known.end() ? "(other)" : std::string_view(*found);
}

} // namespace

void Session::note_request(const Request& request) {
    if (auto* const observer = connections_.options().observer; observer != nullptr) {
        const std::string_view route = connections_.dispatcher().route_of(request.method, request.path);
        route_ = route.empty() ? unknown_part : route;
        method_ = known_method(request.method);
        began_ = SteadyClock::now();
        in_flight_ = true;
        observer->began();
    }
}

void Session::note_answer(int status) {
    if (auto* const observer = connections_.options().observer; observer != nullptr) {
        const auto took = began_ ? SteadyClock::now() - *began_ : SteadyClock::duration::zero();
        observer->answered({route_, method_, status, took});
        end_flight();
    }
}

void Session::end_flight() {
    if (std::exchange(in_flight_, false)) {
        connections_.options().observer->ended();
    }
}

void Session::answer(const Response& response) {
    if (state_ == State::handling) { // else it comes too late
        write(response, keep_alive_ && !connections_.draining());
    }
}

void Session::refuse(const Problem& problem) {
    if (asking_) {
        return close(); // the client does not even take `100 Continue`
    }
    write(problem_response(problem), false);
}

/// An answer that is not the last keeps the connection, unless the server is draining.
void Session::write(const Response& response, bool keep_alive) {
    note_answer(response.status);
    output_ = answer_text(response, {version_, to_head_, keep_alive}, std::time(nullptr));
    enter(State::writing, connections_.options().idle_timeout);
    asio::async_write(socket_, asio::buffer(output_),
                      [self = shared_from_this(), keep_alive](const ErrorCode& ec, std::size_t) {
                          self->on_written(ec, keep_alive);
                      });
}

void Session::on_written(const ErrorCode& ec, bool keep_alive) {
    if (state_ != State::writing) {
        return;
    }
    if (ec) {
        close();
    } else if (keep_alive && !connections_.draining()) {
        begin_request();
    } else {
        finish();
    }
}

/// Sends the end of output, and reads on for a moment: a close with unread input would be a reset,
/// which takes the answer with it.
void Session::finish() {
    ErrorCode ec;
    socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ec);
    if (ec) {
        return close();
    }
    enter(State::closing, closing_time);
    read_more();
}

void Session::time_over() {
    switch (state_) {
    case State::reading:
        refuse({problems::request_timeout, "the request did not come to its end in time"});
        break;
    case State::handling:
        refuse(safe_ ? Problem{problems::unavailable, "there was no answer before the deadline; try again"}
                     : Problem{
                           problems::outcome_unknown,
                           "there was no answer before the deadline, so the outcome is unknown: a change may "
                           "have been made or may still be; read before you repeat the request"});
        break;
    default:
        close();
    }
}

void Session::drain() {
    if (state_ == State::reading) {
        refuse({problems::overloaded, "the server is stopping; nothing was changed, try again"});
    } else if (!answering()) {
        close();
    }
}

void Session::close() {
    if (state_ == State::closed) {
        return;
    }
    state_ = State::closed;
    end_flight();
    ErrorCode ignored;
    socket_.close(ignored);
    connections_.remove(shared_from_this());
}

} // namespace outbox::http
