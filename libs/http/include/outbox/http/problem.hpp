#pragma once

#include <outbox/http/message.hpp>

#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace outbox::http {

/// What is wrong with one field of the request's body.
struct FieldError {
    std::string field; ///< "email"; empty: the body as a whole
    std::string detail;
};

/// An RFC 9457 problem. A 503 gets Retry-After.
struct Problem {
    int status = 500;
    std::string detail;
    std::vector<FieldError> errors = {};                              ///< left out when empty
    std::vector<std::pair<std::string, std::string>> extensions = {}; ///< further members
};

/// The problem as `application/problem+json`.
Response problem_response(const Problem& problem);

/// Thrown by a handler that cannot go on; becomes the answer.
class ProblemError final : public std::exception {
public:
    explicit ProblemError(Problem problem) : problem_(std::move(problem)) {}

    [[nodiscard]] const char* what() const noexcept override { return problem_.detail.c_str(); }
    [[nodiscard]] const Problem& problem() const noexcept { return problem_; }

private:
    Problem problem_;
};

} // namespace outbox::http
