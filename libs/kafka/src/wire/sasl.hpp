#pragma once

#include "wire/scram.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace outbox::kafka {

/// Kafka's number and version of a request. A flexible version has tagged fields in its headers.
struct Api {
    std::int16_t key;
    std::int16_t version;
    bool flexible;
};

/// Who this client is to brokers, and how it proves it.
struct Sasl {
    std::string mechanism; ///< PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
    std::string user;
    std::string password;
};

/// Asks a broker. @return the answer's body
using Ask = std::function<std::string(const Api&, std::string_view body)>;

/// Says who the client is, and proves it: the first that is asked over a connection.
/// @throws SaslError, wire::Malformed, and what `ask` throws
void authenticate(const Sasl& sasl, const Ask& ask);

} // namespace outbox::kafka
