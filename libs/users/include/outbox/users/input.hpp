#pragma once

#include <outbox/http/json_body.hpp>
#include <outbox/http/problem.hpp>
#include <outbox/users/user.hpp>

#include <optional>
#include <string_view>

namespace outbox::users {

namespace problems {

inline constexpr http::ProblemType duplicate_email{409, "duplicate-email"};
inline constexpr http::ProblemType malformed_idempotency_key{422, "malformed-idempotency-key"};
inline constexpr http::ProblemType idempotency_key_reused{422, "idempotency-key-reused"};
inline constexpr http::ProblemType simulated_crash{500, "simulated-crash"};

} // namespace problems

/// The members of a body that the functions below look at.
http::JsonObject read_body(const http::Request& request);

// Each of these reads one body. Members that are not known are ignored.
// They throw http::ProblemError 422, which names every field that is wrong.

/// A new user: both members, checked.
NewUser read_new_user(const http::JsonObject& body);
/// A change: at least one member, checked.
UserChange read_user_change(const http::JsonObject& body);

/// `crash_after_db` of POST /test/crash; true when it is left out.
bool read_crash_after_db(const http::JsonObject& body);

/// An Idempotency-Key as it came. @throws http::ProblemError 422 unless it is 1 to 255 printable ASCII
/// characters.
void check_idempotency_key(std::string_view key);

/// What is wrong with the address: nullopt for 1 to 255 characters with one @ that has something on both
/// sides, no white space and no control characters. @pre UTF-8
std::optional<std::string> email_error(std::string_view email);

/// What is wrong with the name: nullopt for 1 to 255 characters, none of them NUL, not all of them blank.
/// @pre UTF-8
std::optional<std::string> name_error(std::string_view name);

} // namespace outbox::users
