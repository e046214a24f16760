#pragma once

#include <outbox/http/message.hpp>

#include <exception>
#include <string>
#include <utility>
#include <vector>

namespace outbox::http {

/// One kind of problem. Clients branch on its URI, `urn:problem-type:outbox:<name>`; docs/openapi.yaml lists
/// all.
struct ProblemType {
    int status;
    const char* name;
    bool try_again = false; ///< nothing was changed and a repetition may succeed: the answer gets Retry-After
};

namespace problems {

inline constexpr ProblemType malformed_request{400, "malformed-request"};
inline constexpr ProblemType malformed_json{400, "malformed-json"};
inline constexpr ProblemType not_found{404, "not-found"};
inline constexpr ProblemType method_not_allowed{405, "method-not-allowed"};
inline constexpr ProblemType request_timeout{408, "request-timeout"};
inline constexpr ProblemType length_required{411, "length-required"};
inline constexpr ProblemType precondition_failed{412, "precondition-failed"};
inline constexpr ProblemType body_too_large{413, "body-too-large"};
inline constexpr ProblemType target_too_long{414, "target-too-long"};
inline constexpr ProblemType unsupported_media_type{415, "unsupported-media-type"};
inline constexpr ProblemType expectation_failed{417, "expectation-failed"};
inline constexpr ProblemType invalid_fields{422, "invalid-fields"};
inline constexpr ProblemType header_too_large{431, "header-too-large"};
inline constexpr ProblemType internal_error{500, "internal-error"};
inline constexpr ProblemType not_implemented{501, "not-implemented"};
inline constexpr ProblemType overloaded{503, "overloaded", true};
inline constexpr ProblemType unavailable{503, "unavailable", true};
inline constexpr ProblemType outcome_unknown{503, "outcome-unknown"};
inline constexpr ProblemType version_not_supported{505, "version-not-supported"};

} // namespace problems

/// What is wrong with one field of the request's body.
struct FieldError {
    std::string field; ///< "email"; empty: the body as a whole
    std::string detail;
};

/// An RFC 9457 problem.
struct Problem {
    ProblemType type = problems::internal_error;
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
