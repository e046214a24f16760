#include <outbox/core/error.hpp>
#include <outbox/kafka/options.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace outbox::kafka {
namespace {

using Values = std::map<std::string, std::string>;

const char* nothing(const char*) {
    return nullptr;
}

ClientOptions options_of(const Values& flags, const ConfigFile::Group& producer = {}) {
    ConfigFile file;
    file.groups["KAFKA_PRODUCER"] = producer;
    return client_options(Settings::load(Program::relay, flags, nothing, file), "test");
}

std::string message_of(const Values& flags, const ConfigFile::Group& producer = {}) {
    try {
        options_of(flags, producer);
    } catch (const UsageError& error) {
        return error.what();
    }
    return "accepted";
}

TEST(ProducerProperties, AreVariablesWithDotsForTheirUnderscores) {
    const auto options = options_of({}, {{"LINGER_MS", "5"}, {"COMPRESSION_TYPE", "zstd"}, {"ACKS", "all"}});
    EXPECT_EQ(options.producer,
              (Properties{{"linger.ms", "5"}, {"compression.type", "zstd"}, {"acks", "all"}}));
    EXPECT_EQ(metadata_interval(options), default_metadata_interval);
    EXPECT_EQ(metadata_interval(options_of({}, {{"TOPIC_METADATA_REFRESH_INTERVAL_MS", "1000"}})),
              milliseconds(1'000));
}

TEST(ProducerProperties, ThatWouldBreakTheGuaranteeAreRefusedByName) {
    EXPECT_EQ(message_of({}, {{"ACKS", "1"}}),
              "KAFKA_PRODUCER_ACKS=1 is refused: an event that one broker alone has can be lost");
    EXPECT_EQ(
        message_of({}, {{"ENABLE_IDEMPOTENCE", "false"}}),
        "KAFKA_PRODUCER_ENABLE_IDEMPOTENCE=false is refused: a repeated request would send an event twice");
    EXPECT_EQ(
        message_of({}, {{"TRANSACTIONAL_ID", "mine"}}),
        "KAFKA_PRODUCER_TRANSACTIONAL_ID=mine is refused: the relay chooses it, and fences its predecessor "
        "by it");
    for (const char* name : {"REQUEST_REQUIRED_ACKS", "TRANSACTION_TIMEOUT_MS", "MESSAGE_TIMEOUT_MS",
                             "DELIVERY_TIMEOUT_MS", "BOOTSTRAP_SERVERS", "SECURITY_PROTOCOL", "PARTITIONER",
                             "TEST_MOCK_NUM_BROKERS", "ALLOW_AUTO_CREATE_TOPICS"}) {
        EXPECT_EQ(
            message_of({}, {{name, "1"}}).find(std::string("KAFKA_PRODUCER_") + name + "=1 is refused: "), 0U)
            << name;
    }
    EXPECT_NE(message_of({}, {{"MAX_IN_FLIGHT_REQUESTS_PER_CONNECTION", "10"}}).find("max.in.flight"),
              std::string::npos);
}

TEST(ProducerProperties, ThatLibrdkafkaDoesNotKnowOrTakeAreNamed) {
    EXPECT_EQ(message_of({}, {{"LINGERS_MS", "5"}}),
              "KAFKA_PRODUCER_LINGERS_MS=5 is not allowed: No such configuration property: \"lingers.ms\"");
    EXPECT_EQ(
        message_of({}, {{"COMPRESSION_TYPE", "zip"}}).find("KAFKA_PRODUCER_COMPRESSION_TYPE=zip is not"), 0U);
}

TEST(ProducerProperties, ThatATransactionCannotHaveAreRefusedByName) {
    for (const auto& [name, value] : {std::pair{"MAX_IN_FLIGHT", "10"}, {"RETRIES", "0"}}) {
        EXPECT_EQ(message_of({}, {{"LINGER_MS", "5"}, {name, value}})
                      .find(fmt::format("KAFKA_PRODUCER_{}={} is refused: ", name, value)),
                  0U);
    }
}

TEST(Security, IsPlainByDefault) {
    EXPECT_EQ(options_of({}).security, (Properties{{"security.protocol", "PLAINTEXT"}}));
}

TEST(Security, VerifiesCertificateAndHostNameUnlessToldOtherwise) {
    auto security =
        options_of({{"KAFKA_SECURITY_PROTOCOL", "SSL"}, {"KAFKA_SSL_CA_FILE", "/dev/null"}}).security;
    EXPECT_EQ(security["enable.ssl.certificate.verification"], "true");
    EXPECT_EQ(security["ssl.endpoint.identification.algorithm"], "https");
    EXPECT_EQ(security["ssl.ca.location"], "/dev/null");
    security = options_of({{"KAFKA_SECURITY_PROTOCOL", "SSL"}, {"KAFKA_SSL_VERIFY", "off"}}).security;
    EXPECT_EQ(security["enable.ssl.certificate.verification"], "false");
    EXPECT_EQ(security["ssl.endpoint.identification.algorithm"], "none");
}

TEST(Security, SaslNeedsUserAndPassword) {
    Values flags{{"KAFKA_SECURITY_PROTOCOL", "SASL_SSL"}};
    EXPECT_EQ(message_of(flags), "KAFKA_SECURITY_PROTOCOL=SASL_SSL needs KAFKA_SASL_USERNAME");
    flags["KAFKA_SASL_USERNAME"] = "relay";
    EXPECT_EQ(message_of(flags), "KAFKA_SECURITY_PROTOCOL=SASL_SSL needs KAFKA_SASL_PASSWORD");
    flags["KAFKA_SASL_PASSWORD"] = "s3cret";
    auto security = options_of(flags).security;
    EXPECT_EQ(security["sasl.mechanism"], "PLAIN");
    EXPECT_EQ(security["sasl.username"], "relay");
    EXPECT_EQ(security["sasl.password"], "s3cret");
    flags["KAFKA_SSL_CA_FILE"] = "/nowhere/ca.pem";
    EXPECT_EQ(message_of(flags), "KAFKA_SSL_CA_FILE=/nowhere/ca.pem cannot be read");
}

} // namespace
} // namespace outbox::kafka
