#pragma once

#include <outbox/users/user.hpp>

#include <nlohmann/json_fwd.hpp>

#include <optional>
#include <string_view>

namespace outbox::users {

// Each of these reads one body. Members that are not known are ignored.
// They throw http::ProblemError 422, which names every field that is wrong.

NewUser read_new_user(const nlohmann::json& body);
UserChange read_user_change(const nlohmann::json& body);

/// `crash_after_db` of POST /test/crash; true when it is left out.
bool read_crash_after_db(const nlohmann::json& body);

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
