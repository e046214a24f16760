#include "outbox/users/trace_context.hpp"

namespace outbox::users {

TraceContext trace_context_of(const http::Headers& headers) {
    if (headers.count("traceparent") != 1) {
        return {};
    }
    return {std::string(*headers.find("traceparent")), headers.joined("tracestate")};
}

} // namespace outbox::users
