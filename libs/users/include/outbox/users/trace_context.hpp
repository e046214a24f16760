#pragma once

#include <outbox/http/message.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace outbox::users {

/// True for a well-formed W3C traceparent: 00-<32 hex>-<16 hex>-<2 hex>, or a later version that begins so.
bool is_traceparent(std::string_view text) noexcept;

/// The request's trace context as an event's headers: a JSON object of `traceparent` and, where it is
/// well-formed, `tracestate`. @return nullopt without a valid traceparent: a broken one is ignored, as the
/// standard asks.
std::optional<std::string> trace_headers(const http::Headers& headers);

} // namespace outbox::users
