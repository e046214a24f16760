#pragma once

#include <outbox/http/message.hpp>

#include <string>

namespace outbox::users {

/// A request's W3C trace context, as it came; empty where the request has none. Event::set_trace() leaves out
/// what is malformed.
struct TraceContext {
    std::string traceparent = {};
    std::string tracestate = {}; ///< of all headers of that name, joined
};

/// Reads the trace context from a request's headers. Two `traceparent` are none, as the standard asks.
TraceContext trace_context_of(const http::Headers& headers);

} // namespace outbox::users
