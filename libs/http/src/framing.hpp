#pragma once

#include <outbox/http/message.hpp>
#include <outbox/http/problem.hpp>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace outbox::http {

/// What stands in a request before its body, as it was sent.
struct Head {
    std::string method;
    std::string target;
    int version = 11; ///< of HTTP, times ten
    Headers headers;
};

/// How a request is to be read on and answered.
struct Framing {
    std::string path = {}; ///< without the query; "*" of OPTIONS alone
    bool has_body = false;
    bool expects_continue = false; ///< the client waits for 100 before it sends the body
    bool keep_alive = true;
};

/// The one place that decides which requests the server acts on, before a byte of the body is read. Where
/// another server on the way could see another message in the same bytes, the request is refused.
/// @return the problem it is refused with; the connection is of no use after that.
std::variant<Framing, Problem> frame(const Head& head, std::size_t max_body);

/// What is wrong with a request's first line, which comes without its CR LF.
std::optional<Problem> start_line_problem(std::string_view line, std::size_t max_target);

/// What is wrong with the bytes of a whole header section: line breaks that some take for the end of a line
/// and others do not, continued lines, NUL.
std::optional<Problem> header_bytes_problem(std::string_view head);

/// True for what may stand in a method or a field's name.
bool is_token_char(char c) noexcept;

} // namespace outbox::http
