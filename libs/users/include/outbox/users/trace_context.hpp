#pragma once

#include <outbox/http/message.hpp>

#include <optional>
#include <string>

namespace outbox::users {

/// The request's trace context as an event's headers: a JSON object of `traceparent` and, where it is
/// well-formed, `tracestate`. @return nullopt without a valid traceparent: a broken one is ignored, as the
/// standard asks.
std::optional<std::string> trace_headers(const http::Headers& headers);

} // namespace outbox::users
