// RFC 9457 documents. Members stand in a fixed order, and text that is no UTF-8 is replaced, so that an
// answer about bad bytes is itself good.

#include "outbox/http/problem.hpp"

#include <nlohmann/json.hpp>

namespace outbox::http {

Response problem_response(const Problem& problem) {
    nlohmann::ordered_json json{{"type", std::string("urn:problem-type:outbox:") + problem.type.name},
                                {"title", reason_phrase(problem.type.status)},
                                {"status", problem.type.status},
                                {"detail", problem.detail}};
    for (const FieldError& error : problem.errors) {
        const std::string pointer = error.field.empty() ? "#" : "#/" + error.field;
        json["errors"].push_back({{"field", error.field}, {"pointer", pointer}, {"detail", error.detail}});
    }
    for (const auto& [name, value] : problem.extensions) {
        json[name] = value;
    }
    Response response;
    response.status = problem.type.status;
    response.content_type = "application/problem+json";
    response.body = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    if (problem.type.try_again) {
        response.headers.add("Retry-After", "1");
    }
    return response;
}

} // namespace outbox::http
