// Checks what a client sends. Every field that is wrong is named in one answer, so that nobody mends
// them one by one. Lengths are counted in characters, as the table's VARCHAR(255) does.

#include "outbox/users/input.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <vector>

namespace outbox::users {
namespace {

using http::FieldError;
using http::JsonObject;
using Kind = http::JsonValue::Kind;

constexpr std::size_t longest = 255; // characters, as VARCHAR(255) counts
constexpr std::size_t longest_in_bytes = 4 * longest;

/// The characters of a text. @pre UTF-8
std::vector<char32_t> code_points(std::string_view utf8) {
    std::vector<char32_t> points;
    for (const char byte : utf8) {
        const auto value = static_cast<unsigned char>(byte);
        if ((value & 0xC0) != 0x80) { // the first byte of a character: drop its length bits
            points.push_back(value < 0x80   ? value
                             : value < 0xE0 ? value & 0x1F
                             : value < 0xF0 ? value & 0x0F
                                            : value & 0x07);
        } else {
            points.back() = (points.back() << 6) | (value & 0x3F);
        }
    }
    return points;
}

/// What cannot be seen: blanks of all kinds, controls, and marks that turn the direction of writing.
bool is_space_or_control(char32_t c) {
    constexpr std::array<char32_t, 5> others{0x00AD, 0x1680, 0x180E, 0x3000, 0xFEFF};
    return c <= 0x20 || (c >= 0x7F && c <= 0xA0) || (c >= 0x2000 && c <= 0x200F) ||
           (c >= 0x2028 && c <= 0x202F) || (c >= 0x205F && c <= 0x206F) || // they turn the direction, too
           std::ranges::find(others, c) != others.end();
}

using Check = std::optional<std::string> (*)(std::string_view);

/// Reads one text member; what is wrong with it goes into `errors`.
std::optional<std::string> text_member(const JsonObject& body, const char* name, Check check, bool required,
                                       std::vector<FieldError>& errors) {
    const auto found = body.find(name);
    if (found == body.end()) {
        if (required) {
            errors.push_back({name, "is required"});
        }
        return std::nullopt;
    }
    if (found->second.kind != Kind::string) {
        errors.push_back({name, "must be a string"});
        return std::nullopt;
    }
    const std::string& text = found->second.text;
    if (auto error = check(text)) {
        errors.push_back({name, std::move(*error)});
        return std::nullopt;
    }
    return text;
}

/// @throws ProblemError 422 with all of them
void throw_if_any(std::vector<FieldError> errors) {
    if (!errors.empty()) {
        throw http::ProblemError(
            {http::problems::invalid_fields, "some fields are not valid", std::move(errors)});
    }
}

} // namespace

std::optional<std::string> name_error(std::string_view name) {
    if (name.empty()) {
        return "must not be empty";
    }
    if (name.find('\0') != std::string_view::npos) {
        return "must not contain the character U+0000";
    }
    if (name.size() > longest_in_bytes) { // not taken apart
        return "must have at most 255 characters";
    }
    const auto points = code_points(name);
    if (points.size() > longest) {
        return "must have at most 255 characters";
    }
    if (std::ranges::all_of(points, is_space_or_control)) {
        return "must not be blank";
    }
    return std::nullopt;
}

std::optional<std::string> email_error(std::string_view email) {
    if (email.empty()) {
        return "must not be empty";
    }
    if (email.size() > longest_in_bytes) {
        return "must have at most 255 characters";
    }
    const auto points = code_points(email);
    if (points.size() > longest) {
        return "must have at most 255 characters";
    }
    if (std::ranges::any_of(points, is_space_or_control)) {
        return "must not contain white space or control characters";
    }
    if (std::ranges::count(email, '@') != 1 || email.front() == '@' || email.back() == '@') {
        return "must have one @ with something on both sides";
    }
    return std::nullopt;
}

JsonObject read_body(const http::Request& request) {
    return http::read_json_object(request, {"email", "name", "crash_after_db"});
}

NewUser read_new_user(const JsonObject& body) {
    std::vector<FieldError> errors;
    auto email = text_member(body, "email", email_error, true, errors);
    auto name = text_member(body, "name", name_error, true, errors);
    throw_if_any(std::move(errors));
    return {std::move(email).value(), std::move(name).value()};
}

UserChange read_user_change(const JsonObject& body) {
    std::vector<FieldError> errors;
    UserChange change{text_member(body, "email", email_error, false, errors),
                      text_member(body, "name", name_error, false, errors)};
    if (errors.empty() && !change.email && !change.name) {
        errors = {{"email", "at least one of email and name is required"},
                  {"name", "at least one of email and name is required"}};
    }
    throw_if_any(std::move(errors));
    return change;
}

bool read_crash_after_db(const JsonObject& body) {
    const auto found = body.find("crash_after_db");
    if (found != body.end() && found->second.kind != Kind::boolean) {
        throw_if_any({{"crash_after_db", "must be true or false"}});
    }
    return found == body.end() || found->second.text == "true";
}

void check_idempotency_key(std::string_view key) {
    const bool printable = std::ranges::all_of(key, [](char c) { return c >= 0x20 && c <= 0x7E; });
    if (key.empty() || key.size() > longest || !printable) {
        throw http::ProblemError(
            {problems::malformed_idempotency_key,
             "the header Idempotency-Key must have 1 to 255 printable ASCII characters"});
    }
}

} // namespace outbox::users
