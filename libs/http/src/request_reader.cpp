// Makes a request out of bytes. Before Beast's parser sees anything, the raw head is checked here for
// what servers read in different ways (bare line feeds, folded fields, two lengths): a request that a
// proxy understands otherwise than we do could smuggle another one past it. Cost stays linear however
// small the pieces are that bytes come in: what was searched once is not searched again.

#include "request_reader.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace outbox::http {
namespace {

namespace beast = boost::beast;
using ErrorCode = beast::error_code;

constexpr std::size_t max_fields = 100;
/// What each body may take without asking, so that small requests go on while large ones have used the budget
/// up.
constexpr std::size_t free_body = 8'192;

/// Beast's view as the standard's.
std::string_view view(beast::string_view text) {
    return {text.data(), text.size()};
}

/// Whether a line ends in LF alone; some servers take that for a line's end, and others do not.
bool has_bare_line_feed(std::string_view bytes, std::size_t from) {
    for (auto at = bytes.find('\n', from); at != std::string_view::npos; at = bytes.find('\n', at + 1)) {
        if (at == 0 || bytes[at - 1] != '\r') {
            return true;
        }
    }
    return false;
}

} // namespace

/// Finds the fields and takes the chunks apart; what it finds goes to the reader.
class RequestReader::Parser final : public beast::http::basic_parser<true> {
public:
    explicit Parser(RequestReader& reader) : reader_(reader) {
        body_limit(boost::none); // the reader counts
        header_limit(static_cast<std::uint32_t>(reader.limits_.header));
    }

private:
    void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target, int version,
                         ErrorCode&) override {
        reader_.head_.method = view(method);
        reader_.head_.target = view(target);
        reader_.head_.version = version;
    }
    void on_field_impl(beast::http::field, beast::string_view name, beast::string_view value,
                       ErrorCode& ec) override {
        if (reader_.progress_ == Progress::body) {
            return; // a trailer: nobody asked for one
        }
        if (++fields_ > max_fields) {
            reader_.refuse(
                {problems::header_too_large, fmt::format("the header has more than {} fields", max_fields)});
            ec = beast::http::error::header_limit;
            return;
        }
        reader_.head_.headers.add(std::string(view(name)), std::string(view(value)));
    }
    std::size_t on_body_impl(beast::string_view piece, ErrorCode& ec) override { return keep(piece, ec); }
    std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view piece, ErrorCode& ec) override {
        return keep(piece, ec);
    }
    std::size_t keep(beast::string_view piece, ErrorCode& ec) {
        if (!reader_.keep(view(piece))) {
            ec = beast::http::error::body_limit;
        }
        return piece.size();
    }
    void on_response_impl(int, beast::string_view, int, ErrorCode&) override {}
    void on_header_impl(ErrorCode&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
    void on_chunk_header_impl(std::uint64_t, beast::string_view, ErrorCode&) override {}
    void on_finish_impl(ErrorCode&) override {}

    RequestReader& reader_;
    std::size_t fields_ = 0;
};

RequestReader::RequestReader(RequestLimits limits, std::shared_ptr<BodyBudget> bodies)
    : limits_(limits),
      share_(std::move(bodies)) {}

RequestReader::~RequestReader() = default;

std::size_t RequestReader::window() const noexcept {
    return std::max(limits_.header, std::size_t{16'384});
}

/// The first reason stands; what follows from it is of no interest.
void RequestReader::refuse(Problem problem) {
    progress_ = Progress::refused;
    if (!problem_) {
        problem_ = std::move(problem);
    }
}

std::size_t RequestReader::take(std::string_view bytes) {
    std::size_t taken = 0;
    if (progress_ == Progress::nothing) { // empty lines before a request mean nothing (RFC 9112, 2.2)
        while (bytes.substr(taken).starts_with("\r\n")) {
            taken += 2;
        }
        if (bytes.size() > taken && bytes.substr(taken) != "\r") {
            progress_ = Progress::head;
        }
    }
    if (progress_ == Progress::head) {
        take_head(bytes.substr(taken), taken);
    } else if (progress_ == Progress::body) {
        take_body(bytes, taken);
    }
    return taken;
}

/// Looks for the end of the head, which may come in any number of pieces. Its first line is judged as
/// soon as it is whole, so that a hopeless request is refused early.
void RequestReader::take_head(std::string_view bytes, std::size_t& taken) {
    const std::size_t max_target = limits_.header / 2;
    const std::size_t searched_before = searched_;
    if (!first_line_known_) {
        const auto end = bytes.find("\r\n", searched_ > 0 ? searched_ - 1 : 0);
        first_line_known_ = end != std::string_view::npos;
        if (first_line_known_) {
            if (auto problem = start_line_problem(bytes.substr(0, end), max_target)) {
                return refuse(std::move(*problem));
            }
            searched_ = end;
        } else if (!is_token_char(bytes.front())) {
            return refuse({problems::malformed_request, "the request does not begin with a method"});
        } else if (bytes.size() > max_target + 64) { // method and version are short
            return refuse({problems::target_too_long, "the first line is longer than what is accepted"});
        }
    }
    const auto end = bytes.find("\r\n\r\n", searched_ > 3 ? searched_ - 3 : 0);
    if (end != std::string_view::npos && end + 4 <= limits_.header) {
        taken += end + 4;
        return read_head(bytes.substr(0, end + 4));
    }
    searched_ = bytes.size();
    if (has_bare_line_feed(bytes, searched_before)) { // a head of such lines would never end
        refuse({problems::malformed_request, "lines of the header must end with CR LF"});
    } else if (bytes.size() >= limits_.header) {
        refuse({problems::header_too_large,
                fmt::format("the header has more than the {} bytes that are accepted", limits_.header)});
    }
}

/// The head is whole: let Beast take it apart, then decide whether this server acts on it.
void RequestReader::read_head(std::string_view head) {
    if (auto problem = header_bytes_problem(head)) {
        return refuse(std::move(*problem));
    }
    parser_ = std::make_unique<Parser>(*this);
    ErrorCode ec;
    parser_->put({head.data(), head.size()}, ec);
    if (ec || !parser_->is_header_done()) {
        return refuse({problems::malformed_request, "the header is not well-formed"});
    }
    auto framed = frame(head_, limits_.body);
    if (auto* problem = std::get_if<Problem>(&framed)) {
        return refuse(std::move(*problem));
    }
    framing_ = std::get<Framing>(std::move(framed));
    progress_ = parser_->is_done() ? Progress::complete : Progress::body;
}

/// Takes what belongs to the body; chunks are taken apart by Beast, and their sizes counted in keep().
void RequestReader::take_body(std::string_view bytes, std::size_t& taken) {
    parser_->eager(true);
    ErrorCode ec;
    taken = parser_->put({bytes.data(), bytes.size()}, ec);
    if (ec && ec != beast::http::error::need_more) {
        return refuse({problems::malformed_request, "the body's chunks are not well-formed"});
    }
    if (parser_->is_done()) {
        progress_ = Progress::complete;
    } else if (bytes.size() - taken >= window()) {
        refuse({problems::malformed_request, "the body's chunks have too long extensions or trailers"});
    }
}

/// Adds to the body within two limits: one request's own, and what all bodies of the server may take
/// together.
bool RequestReader::keep(std::string_view piece) {
    const std::size_t size = body_.size() + piece.size();
    if (size > limits_.body) {
        refuse({problems::body_too_large,
                fmt::format("the body has more than the {} bytes that are accepted", limits_.body)});
        return false;
    }
    if (size > body_.capacity()) {
        // The string grows by doubling, and the budget is asked for what it will really take.
        const std::size_t room = std::max(size, std::min(2 * body_.capacity(), limits_.body));
        const std::size_t before = std::max(free_body, body_.capacity());
        if (room > before && !share_.grow(room - before)) {
            refuse({problems::overloaded,
                    "too many large bodies are being read; nothing was changed, try again"});
            return false;
        }
        body_.reserve(room);
    }
    body_ += piece;
    return true;
}

Request RequestReader::take_request() {
    return {.method = std::move(head_.method),
            .path = std::move(framing_.path),
            .headers = std::move(head_.headers),
            .body = std::move(body_),
            .parameters = {},
            .deadline = Deadline::in(milliseconds::zero())};
}

} // namespace outbox::http
