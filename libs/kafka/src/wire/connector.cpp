// Secures our own connections by the same properties as librdkafka's. What these connections cannot do
// (Kerberos, OAuth, keys in other forms) makes them unable, not the product: whoever needs them does
// without, and says so.

#include "wire/connector.hpp"

#include "outbox/kafka/error.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace outbox::kafka {
namespace {

/// librdkafka takes these words in any case.
std::string upper(std::string text) {
    std::transform(text.begin(), text.end(), text.begin(),
                   [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return text;
}

std::string value_or(const Properties& properties, const std::string& name, const std::string& fallback) {
    const auto found = properties.find(name);
    return found == properties.end() ? fallback : found->second;
}

/// Properties about security that are understood here; any other one would be ignored silently.
bool is_known(const std::string& name) {
    static constexpr std::array names{
        "sasl.mechanism",   "sasl.mechanisms",  "sasl.username",
        "sasl.password",    "ssl.ca.location",  "ssl.certificate.location",
        "ssl.key.location", "ssl.key.password", "ssl.endpoint.identification.algorithm"};
    const bool about_security = name.starts_with("ssl.") || name.starts_with("sasl.");
    return !about_security || std::find(names.begin(), names.end(), name) != names.end();
}

bool is_spoken(const std::string& mechanism) {
    return mechanism == "PLAIN" || mechanism == "SCRAM-SHA-256" || mechanism == "SCRAM-SHA-512";
}

/// The user and mechanism, under librdkafka's two names for the latter.
Sasl sasl_from(const Properties& properties) {
    const auto mechanism = value_or(properties, "sasl.mechanisms", "GSSAPI"); // librdkafka's default
    return {upper(value_or(properties, "sasl.mechanism", mechanism)),
            value_or(properties, "sasl.username", ""), value_or(properties, "sasl.password", "")};
}

/// Files and checks of TLS.
TlsOptions tls_from(const Properties& properties) {
    TlsOptions options;
    options.verify_chain = value_or(properties, "enable.ssl.certificate.verification", "true") == "true";
    options.verify_host =
        upper(value_or(properties, "ssl.endpoint.identification.algorithm", "https")) == "HTTPS";
    options.ca = value_or(properties, "ssl.ca.location", "");
    options.certificate = value_or(properties, "ssl.certificate.location", "");
    options.key = value_or(properties, "ssl.key.location", "");
    options.key_password = value_or(properties, "ssl.key.password", "");
    return options;
}

} // namespace

std::optional<Security> security_for(const Properties& properties) {
    const auto protocol = upper(value_or(properties, "security.protocol", "PLAINTEXT"));
    Security security;
    if (protocol == "PLAINTEXT") {
        return security;
    }
    if (!std::all_of(properties.begin(), properties.end(),
                     [](const auto& property) { return is_known(property.first); })) {
        return std::nullopt;
    }
    if (protocol.ends_with("SSL")) {
        security.tls = tls_from(properties);
    }
    if (protocol.starts_with("SASL_")) {
        security.sasl = sasl_from(properties);
        if (!is_spoken(security.sasl->mechanism)) {
            return std::nullopt;
        }
    }
    return security;
}

Connector::Connector(const ClientOptions& options)
    : options_(options),
      security_(security_for(security_now(options))) {
    if (security_ && security_->tls) {
        try {
            tls_.emplace(*security_->tls);
        } catch (const TlsError& error) {
            throw KafkaError(RD_KAFKA_RESP_ERR__SSL, error.what());
        }
    }
}

BrokerConnection Connector::open(const Address& broker, Deadline deadline) const {
    if (!security_) {
        throw KafkaError(RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE,
                         "transactions cannot be asked for over this kind of secured connection");
    }
    const auto now = security_for(security_now(options_)); // the password may be another by now
    return {broker, tls_ ? &*tls_ : nullptr, now && now->sasl ? &*now->sasl : nullptr, deadline};
}

} // namespace outbox::kafka
