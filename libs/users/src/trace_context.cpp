#include "outbox/users/trace_context.hpp"

#include <outbox/core/trace_context.hpp>

#include <nlohmann/json.hpp>

namespace outbox::users {

std::optional<std::string> trace_headers(const http::Headers& headers) {
    const auto parent = headers.find("traceparent");
    if (headers.count("traceparent") != 1 || !is_traceparent(*parent)) {
        return std::nullopt;
    }
    nlohmann::ordered_json json{{"traceparent", *parent}};
    if (const std::string state = headers.joined("tracestate"); is_tracestate(state)) {
        json["tracestate"] = state;
    }
    return json.dump();
}

} // namespace outbox::users
