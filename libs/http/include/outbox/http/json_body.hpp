#pragma once

#include <outbox/http/message.hpp>

#include <nlohmann/json_fwd.hpp>

namespace outbox::http {

/// Deepest nesting of arrays and objects that is read.
inline constexpr int max_json_depth = 32;

/// The request's body as a JSON object.
/// @throws ProblemError  415 wrong media type or encoding; 400 not JSON, not UTF-8 or nested too deeply;
///                       422 JSON, but not an object.
nlohmann::json read_json_object(const Request& request);

} // namespace outbox::http
