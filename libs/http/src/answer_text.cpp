// An answer as bytes. Date and Content-Length are ours, and no value can begin another field.

#include "answer_text.hpp"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <string_view>

namespace outbox::http {
namespace {

/// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string date_text(std::time_t now) {
    constexpr std::array days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    constexpr std::array months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    std::tm utc{};
    gmtime_r(&now, &utc);
    return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} GMT",
                       days.at(static_cast<std::size_t>(utc.tm_wday)), utc.tm_mday,
                       months.at(static_cast<std::size_t>(utc.tm_mon)), utc.tm_year + 1900, utc.tm_hour,
                       utc.tm_min, utc.tm_sec);
}

/// A line break in a value would begin another field, or another answer.
void append_field(std::string& text, std::string_view name, std::string_view value) {
    text.append(name).append(": ");
    for (const char c : value) {
        text += (c >= 0 && c < 0x20) || c == 0x7F ? ' ' : c;
    }
    text += "\r\n";
}

} // namespace

std::string answer_text(const Response& response, const Delivery& delivery, std::time_t now) {
    const bool may_have_body = response.status >= 200 && response.status != 204 && response.status != 304;
    std::string text;
    text.reserve(256 + response.body.size());
    fmt::format_to(std::back_inserter(text), "HTTP/1.1 {} {}\r\n", response.status,
                   reason_phrase(response.status));
    append_field(text, "Date", date_text(now));
    if (may_have_body) {
        append_field(text, "Content-Type", response.content_type);
        append_field(text, "Content-Length", std::to_string(response.body.size()));
    }
    for (const auto& [name, value] : response.headers) {
        append_field(text, name, value);
    }
    if (!delivery.keep_alive) {
        append_field(text, "Connection", "close");
    } else if (delivery.version < 11) {
        append_field(text, "Connection", "keep-alive");
    }
    text += "\r\n";
    if (may_have_body && !delivery.to_head) {
        text += response.body;
    }
    return text;
}

} // namespace outbox::http
