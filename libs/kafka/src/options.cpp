#include "outbox/kafka/options.hpp"

#include "producer_properties.hpp"

#include <outbox/core/error.hpp>

#include <fmt/format.h>
#include <unistd.h>

namespace outbox::kafka {
namespace {

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

Properties security_of(const Settings& settings) {
    const std::string& protocol = settings.text("KAFKA_SECURITY_PROTOCOL");
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
    options.producer = producer_properties(settings.group("KAFKA_PRODUCER"));
    return options;
}

} // namespace outbox::kafka
