// libpq says what failed, rarely what to do. Words of its messages, and of the server's, lead to the
// setting that is most likely wrong; they are English wherever lc_messages does not reach, which is
// before login.

#include "connect_advice.hpp"

#include <algorithm>
#include <array>

namespace outbox::postgres {
namespace {

/// A message is meant when it holds both words.
struct Advice {
    std::string_view first;  ///< words of the message
    std::string_view second; ///< further ones, which may be empty
    std::string_view advice;
};

constexpr auto advices = std::to_array<Advice>({
    {"database \"", "does not exist", "; outbox-migrate up creates it, or DB_NAME names another"},
    {"role \"", "does not exist", "; look at DB_USER"},
    {"password authentication failed", "", "; look at DB_USER and DB_PASSWORD (or DB_PASSWORD_FILE)"},
    {"no password supplied", "", "; set DB_PASSWORD (or DB_PASSWORD_FILE)"},
    {"Connection refused", "", " Look at DB_HOST and DB_PORT"},
    {"could not translate host name", "", "; look at DB_HOST"},
    {"No such file or directory", "", " Look at DB_HOST and DB_PORT"},
    {"server closed the connection unexpectedly", "",
     " Look at DB_PORT: is it PostgreSQL that answers there?"},
});

bool has(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

} // namespace

std::string_view connect_advice(std::string_view message) {
    const auto* const found = std::ranges::find_if(
        advices, [&](const Advice& each) { return has(message, each.first) && has(message, each.second); });
    return found == advices.end() ? std::string_view{} : found->advice;
}

} // namespace outbox::postgres
