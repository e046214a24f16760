// From settings to librdkafka's properties of security. What cannot work is refused at the start, by
// the name of the setting: librdkafka itself would only log that no broker is reached, again and again.

#include "outbox/kafka/options.hpp"

#include "client/producer_properties.hpp"

#include <outbox/core/error.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

namespace outbox::kafka {
namespace {

/// @throws UsageError when the file cannot be read now
void add_file(const Settings& settings, std::string_view name, const std::string& property, Properties& to) {
    if (!settings.has(name)) {
        return;
    }
    const std::string& path = settings.text(name);
    if (access(path.c_str(), R_OK) != 0) {
        throw UsageError(fmt::format("{}={} cannot be read", name, path));
    }
    to[property] = path;
}

/// User and password belong together, and a mechanism without them is a mistake.
void add_sasl(const Settings& settings, Properties& to) {
    for (const auto* name : {"KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"}) {
        if (!settings.has(name)) {
            throw UsageError(fmt::format("KAFKA_SECURITY_PROTOCOL={} needs {}",
                                         settings.text("KAFKA_SECURITY_PROTOCOL"), name));
        }
    }
    to["sasl.mechanism"] = settings.text("KAFKA_SASL_MECHANISM");
    to["sasl.username"] = settings.text("KAFKA_SASL_USERNAME");
    to["sasl.password"] = settings.text("KAFKA_SASL_PASSWORD");
}

/// TLS: files of certificates and keys, and whether host names are checked.
void add_ssl(const Settings& settings, Properties& to) {
    const bool verify = settings.on("KAFKA_SSL_VERIFY");
    to["enable.ssl.certificate.verification"] = verify ? "true" : "false";
    to["ssl.endpoint.identification.algorithm"] = verify ? "https" : "none";
    add_file(settings, "KAFKA_SSL_CA_FILE", "ssl.ca.location", to);
    add_file(settings, "KAFKA_SSL_CERTIFICATE_FILE", "ssl.certificate.location", to);
    add_file(settings, "KAFKA_SSL_KEY_FILE", "ssl.key.location", to);
    if (settings.has("KAFKA_SSL_KEY_PASSWORD")) {
        to["ssl.key.password"] = settings.text("KAFKA_SSL_KEY_PASSWORD");
    }
}

/// librdkafka leaves out an address that names another protocol than the client has.
void check_schemes(const std::string& brokers, const std::string& protocol) {
    for (std::size_t end = brokers.find("://"); end != std::string::npos;
         end = brokers.find("://", end + 1)) {
        const auto comma = brokers.find_last_of(", ", end);
        const auto begin = comma == std::string::npos ? 0 : comma + 1;
        std::string scheme = brokers.substr(begin, end - begin);
        std::ranges::transform(scheme, scheme.begin(),
                               [](char c) { return static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c); });
        if (scheme != protocol) {
            throw UsageError(fmt::format("KAFKA_BROKERS={} says {}, but KAFKA_SECURITY_PROTOCOL is {}: leave "
                                         "the first out, or set the second",
                                         brokers, scheme, protocol));
        }
    }
}

/// All properties of security, for every client of the program.
Properties security_of(const Settings& settings) {
    const std::string& protocol = settings.text("KAFKA_SECURITY_PROTOCOL");
    check_schemes(settings.text("KAFKA_BROKERS"), protocol);
    Properties security{{"security.protocol", protocol}};
    if (protocol.starts_with("SASL_")) {
        add_sasl(settings, security);
    }
    if (protocol.ends_with("SSL")) {
        add_ssl(settings, security);
    }
    return security;
}

} // namespace

ClientOptions client_options(const Settings& settings, std::string client_id) {
    ClientOptions options;
    options.brokers = settings.text("KAFKA_BROKERS");
    options.client_id = std::move(client_id);
    options.security = security_of(settings);
    for (const auto& [name, property] : {std::pair("KAFKA_SASL_PASSWORD", "sasl.password"),
                                         std::pair("KAFKA_SSL_KEY_PASSWORD", "ssl.key.password")}) {
        if (const auto file = settings.secret_file(name);
            !file.empty() && options.security.contains(property)) {
            options.secret_files[property] = file;
        }
    }
    options.producer = producer_properties(settings.group("KAFKA_PRODUCER"));
    return options;
}

} // namespace outbox::kafka
