#include "outbox/users/user.hpp"

#include <nlohmann/json.hpp>

namespace outbox::users {
namespace {

nlohmann::ordered_json or_null(const std::optional<std::string>& text) {
    return text ? nlohmann::ordered_json(*text) : nlohmann::ordered_json(nullptr);
}

} // namespace

std::string to_json(const User& user) {
    const nlohmann::ordered_json json{{"id", user.id.to_string()},
                                      {"email", user.email},
                                      {"name", user.name},
                                      {"created_at", or_null(user.created_at)},
                                      {"updated_at", or_null(user.updated_at)}};
    return json.dump();
}

std::string location_of(const User& user) {
    return "/users/" + user.id.to_string();
}

} // namespace outbox::users
