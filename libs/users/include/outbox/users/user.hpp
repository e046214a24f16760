#pragma once

#include <outbox/core/uuid.hpp>

#include <optional>
#include <string>

namespace outbox::users {

/// One row of `users`. Times are RFC 3339, UTC; an adopted table may hold none.
struct User {
    Uuid id;
    std::string email;
    std::string name;
    std::optional<std::string> created_at;
    std::optional<std::string> updated_at;
};

/// What POST asks for; checked.
struct NewUser {
    std::string email;
    std::string name;
};

/// What PUT asks for; at least one of the two; checked.
struct UserChange {
    std::optional<std::string> email;
    std::optional<std::string> name;
};

/// {"id", "email", "name", "created_at", "updated_at"}: the answer's body and the event's data.
std::string to_json(const User& user);

/// "/users/<id>"
std::string location_of(const User& user);

} // namespace outbox::users
