// The client's side of SCRAM (RFC 5802). The password never travels: both sides prove that they know
// it, the broker by its signature at the end. A broker that asks for few iterations, or for very many,
// is refused: the first would weaken the password, the second would keep this client computing.

#include "wire/scram.hpp"

#include <fmt/format.h>

#include <charconv>
#include <utility>

namespace outbox::kafka {
namespace {

constexpr std::string_view without_channel_binding = "n,,";
// RFC 7677 asks for at least 4096. The most keeps a server from making the client compute for ever.
constexpr int fewest_iterations = 4'096;
constexpr int most_iterations = 1'000'000;

/// The two characters that mean something in a SCRAM message, escaped.
std::string sasl_name(std::string_view user) {
    std::string name;
    for (const char c : user) {
        if (c == '=') {
            name += "=3D";
        } else if (c == ',') {
            name += "=2C";
        } else {
            name += c;
        }
    }
    return name;
}

/// Takes "x=value" and the comma behind it off a message.
std::string_view take_attribute(std::string_view& message, char name) {
    const auto text = message.substr(0, message.find(','));
    if (text.size() < 2 || text[0] != name || text[1] != '=') {
        throw SaslError(fmt::format("the broker's SCRAM message lacks '{}='", name));
    }
    message.remove_prefix(std::min(text.size() + 1, message.size()));
    return text.substr(2);
}

int iterations_of(std::string_view text) {
    int iterations = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), iterations);
    if (error != std::errc() || end != text.data() + text.size() || iterations < fewest_iterations ||
        iterations > most_iterations) {
        throw SaslError(
            fmt::format("the broker asks for a number of SCRAM iterations that is not between {} and {}",
                        fewest_iterations, most_iterations));
    }
    return iterations;
}

/// @throws SaslError for what is no base64
std::string decoded(std::string_view text) {
    try {
        return from_base64(text);
    } catch (const std::runtime_error&) {
        throw SaslError("the broker's SCRAM message cannot be read");
    }
}

std::string exclusive_or(std::string a, std::string_view b) {
    for (std::size_t i = 0; i < a.size(); ++i) {
        a[i] = static_cast<char>(static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]));
    }
    return a;
}

} // namespace

ScramClient::ScramClient(Digest digest, std::string_view user, std::string password, std::string nonce)
    : digest_(digest),
      password_(std::move(password)),
      nonce_(std::move(nonce)),
      first_bare_(fmt::format("n={},r={}", sasl_name(user), nonce_)) {}

std::string ScramClient::first() const {
    return std::string(without_channel_binding) + first_bare_;
}

std::string ScramClient::answer(std::string_view server_first) {
    std::string_view rest = server_first;
    const auto nonce = take_attribute(rest, 'r');
    const auto salt = decoded(take_attribute(rest, 's'));
    const int iterations = iterations_of(take_attribute(rest, 'i'));
    // A nonce that does not begin with ours, or adds nothing, is a replay of another conversation.
    if (!nonce.starts_with(nonce_) || nonce.size() == nonce_.size()) {
        throw SaslError("the broker's SCRAM nonce does not continue this client's");
    }
    const auto unproved = fmt::format("c={},r={}", base64(without_channel_binding), nonce);
    const auto exchange = fmt::format("{},{},{}", first_bare_, server_first, unproved);
    const auto salted = digest_.pbkdf2(password_, salt, iterations);
    const auto client_key = digest_.hmac(salted, "Client Key");
    const auto signature = digest_.hmac(digest_.hash(client_key), exchange);
    server_signature_ = digest_.hmac(digest_.hmac(salted, "Server Key"), exchange);
    return fmt::format("{},p={}", unproved, base64(exclusive_or(client_key, signature)));
}

void ScramClient::verify(std::string_view server_final) const {
    if (server_final.starts_with("e=")) {
        throw SaslError("the broker refuses: " + std::string(take_attribute(server_final, 'e')));
    }
    if (server_signature_.empty() || !equal(decoded(take_attribute(server_final, 'v')), server_signature_)) {
        throw SaslError("the broker does not know this user's password: its SCRAM signature is wrong");
    }
}

} // namespace outbox::kafka
