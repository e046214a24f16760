// Decides, from a request's head, whether this server acts on it and how long its body is. Every doubt
// is a refusal: two Content-Length fields, a length beside chunked coding, control characters, a Host
// that is none. Such a request may mean another thing to a proxy in front, and that is how requests are
// smuggled.

#include "framing.hpp"

#include "ascii.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

namespace outbox::http {
namespace {

// IANA's registry. A method that stands here is refused by the resource, 405; any other is not known here,
// 501.
constexpr auto known_methods = std::to_array<std::string_view>(
    {"GET",    "HEAD",       "POST",     "PUT",        "DELETE", "PATCH",       "OPTIONS",
     "TRACE",  "ACL",        "BIND",     "CHECKOUT",   "COPY",   "LINK",        "LOCK",
     "MERGE",  "MKACTIVITY", "MKCOL",    "MKCALENDAR", "MOVE",   "PROPFIND",    "PROPPATCH",
     "REBIND", "REPORT",     "SEARCH",   "UNBIND",     "UNLINK", "UNSUBSCRIBE", "VERSION-CONTROL",
     "QUERY",  "UNLOCK",     "SUBSCRIBE"});

constexpr std::string_view digits = "0123456789";

/// As ASCII.
bool is_alphanumeric(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// True when one of the comma-separated words is `word`, which is in lower case.
bool lists(std::string_view values, std::string_view word) {
    const std::string list = lowered(values);
    std::string_view rest = list;
    while (!rest.empty()) {
        const auto end = std::min(rest.find(','), rest.size());
        if (trimmed(rest.substr(0, end)) == word) {
            return true;
        }
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return false;
}

/// 400 with the reason.
Problem malformed(std::string detail) {
    return {problems::malformed_request, std::move(detail)};
}

/// A name or an address, with or without a port; no user, no path (RFC 9110, 4.2.4, 7.2).
bool is_host(std::string_view text) {
    const auto colon = text.starts_with('[') ? text.find(':', text.find(']')) : text.find(':');
    const std::string_view name = text.substr(0, colon);
    const std::string_view port = colon == std::string_view::npos ? "" : text.substr(colon + 1);
    if (name.empty() || port.find_first_not_of(digits) != std::string_view::npos) {
        return false;
    }
    if (name.starts_with('[')) {
        return name.size() > 2 && name.ends_with(']') &&
               std::ranges::all_of(name.substr(1, name.size() - 2),
                                   [](char c) { return is_alphanumeric(c) || c == ':' || c == '.'; });
    }
    return std::ranges::all_of(name, [](char c) {
        return is_alphanumeric(c) || std::string_view("-._~%!$&'()*+;=").find(c) != std::string_view::npos;
    });
}

/// HTTP/1.1 demands exactly one Host.
std::optional<Problem> host_problem(const Head& head) {
    const std::size_t count = head.headers.count("Host");
    if (count > 1 || (count == 0 && head.version > 10)) {
        return malformed("there must be one header Host");
    }
    if (count == 1 && !is_host(*head.headers.find("Host"))) {
        return malformed("the header Host must name a host");
    }
    return std::nullopt;
}

/// @return nullopt for a target that is none of ours.
std::optional<std::string> path_of(std::string_view method, std::string_view target) {
    if (target == "*" && method == "OPTIONS") {
        return "*";
    }
    if (!target.starts_with('/')) { // a whole URL, as it is sent to a proxy
        const auto end = std::min(target.find("://"), target.size());
        const std::string scheme = lowered(target.substr(0, end));
        if (scheme != "http" && scheme != "https") {
            return std::nullopt;
        }
        target.remove_prefix(std::min(end + 3, target.size()));
        const auto path = std::min(target.find_first_of("/?"), target.size());
        if (!is_host(target.substr(0, path))) {
            return std::nullopt;
        }
        target.remove_prefix(path);
    }
    const std::string_view path = target.substr(0, target.find('?'));
    return path.empty() ? "/" : std::string(path);
}

/// What is wrong with Transfer-Encoding: only "chunked", alone and once, says where the body ends.
std::optional<Problem> transfer_coding_problem(const Head& head) {
    const Headers& headers = head.headers;
    if (head.version < 11) {
        return malformed("HTTP/1.0 has no transfer codings");
    }
    if (headers.count("Content-Length") > 0) {
        return malformed("there must not be both Transfer-Encoding and Content-Length");
    }
    const std::string coding = lowered(headers.joined("Transfer-Encoding"));
    if (coding == "chunked" && headers.count("Transfer-Encoding") == 1) {
        return std::nullopt;
    }
    const auto last = std::min(coding.rfind(','), coding.size());
    const bool ends_chunked =
        trimmed(std::string_view(coding).substr(std::min(last + 1, coding.size()))) == "chunked";
    if (!ends_chunked || lists(std::string_view(coding).substr(0, last), "chunked")) {
        return malformed("the transfer codings do not say where the body ends");
    }
    return Problem{problems::not_implemented, "of the transfer codings only chunked is known"};
}

/// What is wrong with Content-Length: one number, and no larger than what is accepted.
std::optional<Problem> length_problem(const Head& head, std::size_t max_body) {
    const std::string_view text = *head.headers.find("Content-Length");
    if (head.headers.count("Content-Length") > 1 || text.empty() ||
        text.find_first_not_of(digits) != std::string_view::npos) {
        return malformed("there must be one Content-Length, a whole number");
    }
    std::uint64_t length = 0;
    const bool fits = std::from_chars(text.data(), text.data() + text.size(), length).ec == std::errc();
    if (!fits || length > max_body) {
        return Problem{problems::body_too_large,
                       fmt::format("the body has more than the {} bytes that are accepted", max_body)};
    }
    return std::nullopt;
}

/// Whether it is clear where the body ends, if there is one.
std::optional<Problem> body_problem(const Head& head, std::size_t max_body) {
    if (head.headers.count("Transfer-Encoding") > 0) {
        return transfer_coding_problem(head);
    }
    if (head.headers.count("Content-Length") > 0) {
        return length_problem(head, max_body);
    }
    if (head.method == "POST" || head.method == "PUT" || head.method == "PATCH") {
        return Problem{problems::length_required, "the header Content-Length is missing"};
    }
    return std::nullopt;
}

bool has_body(const Headers& headers) {
    const auto length = headers.find("Content-Length");
    return headers.count("Transfer-Encoding") > 0 ||
           (length && length->find_first_not_of('0') != std::string_view::npos);
}

/// CR and LF were looked for before; these are the others that must not stand in a value.
bool has_control_bytes(std::string_view text) {
    return std::ranges::any_of(text, [](char c) { return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7F; });
}

} // namespace

bool is_token_char(char c) noexcept {
    return is_alphanumeric(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

std::optional<Problem> start_line_problem(std::string_view line, std::size_t max_target) {
    const auto method_end = std::min(line.find(' '), line.size());
    const std::string_view method = line.substr(0, method_end);
    if (method.empty() || !std::ranges::all_of(method, is_token_char)) {
        return malformed("the request does not begin with a method");
    }
    const auto version_begin = line.rfind(' ');
    if (version_begin == std::string_view::npos || version_begin == method_end) {
        return malformed("the first line must be: METHOD target HTTP/1.1");
    }
    const std::string_view target = line.substr(method_end + 1, version_begin - method_end - 1);
    if (target.size() > max_target) {
        return Problem{problems::target_too_long,
                       fmt::format("the target has more than the {} bytes that are accepted", max_target)};
    }
    if (target.empty() ||
        !std::ranges::all_of(target, [](char c) { return c > 0x20 && c < 0x7F && c != '#'; })) {
        return malformed("the target must be one word of ASCII without a fragment");
    }
    const std::string_view version = line.substr(version_begin + 1);
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (version.size() != 8 || !version.starts_with("HTTP/") || !is_digit(version[5]) || version[6] != '.' ||
        !is_digit(version[7])) {
        return malformed("the first line must end with the version, HTTP/1.1");
    }
    if (version != "HTTP/1.1" && version != "HTTP/1.0") {
        return Problem{problems::version_not_supported, "HTTP/1.1 and HTTP/1.0 are spoken here"};
    }
    if (std::ranges::find(known_methods, method) == known_methods.end()) {
        return Problem{problems::not_implemented, "the method is not known here"};
    }
    return std::nullopt;
}

std::optional<Problem> header_bytes_problem(std::string_view head) {
    for (std::size_t i = 0; i < head.size(); ++i) {
        const char c = head[i];
        if (c != '\r' && c != '\n' && c != '\0') {
            continue;
        }
        if (c != '\r' || i + 1 == head.size() || head[i + 1] != '\n') {
            return malformed("lines of the header must end with CR LF");
        }
        ++i;
        if (i + 1 < head.size() && (head[i + 1] == ' ' || head[i + 1] == '\t')) {
            return malformed("a field of the header must stand on one line");
        }
    }
    return std::nullopt;
}

std::variant<Framing, Problem> frame(const Head& head, std::size_t max_body) {
    for (const auto& [name, value] : head.headers) {
        if (has_control_bytes(value)) {
            return malformed("there are control characters in the header");
        }
    }
    if (auto problem = host_problem(head)) {
        return std::move(*problem);
    }
    auto path = path_of(head.method, head.target);
    if (!path) {
        return malformed("the target must be a path, or a URL of http or https");
    }
    if (auto problem = body_problem(head, max_body)) {
        return std::move(*problem);
    }
    Framing framing{.path = std::move(*path), .has_body = has_body(head.headers)};
    if (head.version > 10 && head.headers.count("Expect") > 0) {
        if (lowered(head.headers.joined("Expect")) != "100-continue") {
            return Problem{problems::expectation_failed, "no expectation but 100-continue can be met"};
        }
        framing.expects_continue = framing.has_body;
    }
    const std::string connection = head.headers.joined("Connection");
    framing.keep_alive =
        !lists(connection, "close") && (head.version > 10 || lists(connection, "keep-alive"));
    return framing;
}

} // namespace outbox::http
