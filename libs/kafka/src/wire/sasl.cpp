#include "wire/sasl.hpp"

#include "wire/wire.hpp"

#include <fmt/format.h>

namespace outbox::kafka {
namespace {

constexpr Api sasl_handshake{17, 1, false};
constexpr Api sasl_authenticate{36, 1, false};

/// The handshake by which broker and client agree on a mechanism. @throws SaslError where it is not
/// offered
void choose(const std::string& mechanism, const Ask& ask) {
    wire::Encoder body;
    body.string(mechanism);
    const std::string answer = ask(sasl_handshake, body.bytes());
    if (wire::Decoder(answer).int16() != 0) {
        throw SaslError("the broker does not offer " + mechanism);
    }
}

/// One message to the broker and its reply. @throws SaslError with the broker's own words
std::string exchange(std::string_view message, const Ask& ask) {
    wire::Encoder body;
    body.byte_string(message);
    const std::string answer = ask(sasl_authenticate, body.bytes());
    wire::Decoder in(answer);
    const int code = in.int16();
    const auto why = in.string();
    if (code != 0) {
        throw SaslError(fmt::format("the broker refuses: {}", why));
    }
    return std::string(in.byte_string());
}

/// Three messages of SCRAM: who, the proof, and the broker's proof in return.
void authenticate_by_scram(const Sasl& sasl, const std::string& hash, const Ask& ask) {
    constexpr std::size_t nonce_bytes = 18;
    ScramClient client(Digest(hash), sasl.user, sasl.password, base64(random_bytes(nonce_bytes)));
    client.verify(exchange(client.answer(exchange(client.first(), ask)), ask));
}

} // namespace

void authenticate(const Sasl& sasl, const Ask& ask) {
    choose(sasl.mechanism, ask);
    if (sasl.mechanism == "PLAIN") {
        const std::string nul(1, '\0');
        exchange(nul + sasl.user + nul + sasl.password, ask);
    } else {
        authenticate_by_scram(sasl, sasl.mechanism == "SCRAM-SHA-256" ? "SHA256" : "SHA512", ask);
    }
}

} // namespace outbox::kafka
