#include "client/troubles.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox::kafka {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

/// Lines as librdkafka 2.0.2 writes them.
Trouble trouble(const std::string& line) {
    return trouble_in("FAIL", line).value_or(Trouble{"(none)"});
}

TEST(Troubles, NameTheAddressAndTheCause) {
    EXPECT_EQ(
        trouble("[thrd:127.0.0.1:1/bootstrap]: 127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: "
                "Connection refused (after 0ms in state CONNECT, 1 identical error(s) suppressed)")
            .text,
        "127.0.0.1:1: Connect to ipv4#127.0.0.1:1 failed: Connection refused");
    EXPECT_EQ(
        trouble("[thrd:nosuch.invalid:9092/bootstrap]: nosuch.invalid:9092/bootstrap: Failed to resolve "
                "'nosuch.invalid:9092': Name or service not known (after 1ms in state CONNECT)")
            .text,
        "nosuch.invalid:9092: Failed to resolve 'nosuch.invalid:9092': Name or service not known");
}

TEST(Troubles, SayWhatAnswersThereInsteadOfABroker) {
    const auto answered = [](const std::string& size) {
        return trouble("[thrd:a:1/bootstrap]: a:1/bootstrap: Receive failed: Invalid response size " + size +
                       " (0..100000000): increase receive.message.max.bytes (after 22ms in state "
                       "APIVERSION_QUERY)")
            .text;
    };
    EXPECT_EQ(answered("1213486160"), "a:1: an HTTP server answers there, no Kafka broker");
    EXPECT_EQ(answered("352518912"), "a:1: it speaks TLS: set KAFKA_SECURITY_PROTOCOL to SSL or SASL_SSL");
    EXPECT_EQ(answered("1157627904"), "a:1: it speaks another protocol than Kafka's");
    EXPECT_THAT(
        trouble("[thrd:a:1/bootstrap]: a:1/bootstrap: Disconnected while requesting ApiVersion: might be "
                "caused by incorrect security.protocol configuration (connecting to a SSL listener?) or "
                "broker version is < 0.10 (see api.version.request) (after 1ms in state "
                "APIVERSION_QUERY)")
            .text,
        HasSubstr("or it expects TLS or SASL (KAFKA_SECURITY_PROTOCOL)"));
}

TEST(Troubles, TellARefusalFromABrokerThatIsAway) {
    const auto password =
        trouble("[thrd:sasl_ssl://h:1/bootstrap]: sasl_ssl://h:1/bootstrap: SASL authentication "
                "error: Authentication failed: Invalid username or password (after 314ms in "
                "state AUTH_REQ)");
    EXPECT_TRUE(password.refusal);
    EXPECT_EQ(password.text, "h:1: SASL authentication error: Authentication failed: Invalid username or "
                             "password; check KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD");
    const auto certificate =
        trouble("[thrd:ssl://h:1/bootstrap]: ssl://h:1/bootstrap: SSL handshake failed: "
                "error:0A000086:SSL routines::certificate verify failed: broker certificate "
                "could not be verified (after 35ms in state SSL_HANDSHAKE)");
    EXPECT_TRUE(certificate.refusal);
    EXPECT_THAT(certificate.text, HasSubstr("check KAFKA_SSL_CA_FILE"));
    EXPECT_FALSE(trouble("[thrd:ssl://h:1/bootstrap]: ssl://h:1/bootstrap: SSL handshake failed: "
                         "error:0A000126:SSL routines::unexpected eof while reading (after 2ms in state "
                         "SSL_HANDSHAKE)")
                     .refusal)
        << "a broker that ends closes connections in the middle of a handshake";
}

TEST(Troubles, PointAtTheBrokersOwnAddressWhereItWasNotConfigured) {
    constexpr auto refused = ": Connect to ipv4#10.0.0.9:9092 failed: Connection refused (after 0ms in state "
                             "CONNECT)";
    EXPECT_THAT(trouble(std::string("[thrd:kafka:9092/1]: kafka:9092/1") + refused).text,
                AllOf(HasSubstr("kafka:9092: Connect to"), HasSubstr("advertised.listeners")));
    EXPECT_THAT(trouble(std::string("[thrd:kafka:9092/bootstrap]: kafka:9092/bootstrap") + refused).text,
                Not(HasSubstr("advertised.listeners")));
}

TEST(Troubles, AreNoOtherLines) {
    EXPECT_EQ(trouble_in("ERROR", "[thrd:a:1/bootstrap]: 1/1 brokers are down"), std::nullopt);
    EXPECT_EQ(trouble_in("FAIL", "[thrd:a:1/1]: a:1/1: Disconnected (after 60000ms in state UP)"),
              std::nullopt);
    EXPECT_EQ(trouble_in("FAIL", "nothing of the kind"), std::nullopt);
}

TEST(Troubles, AreAttachedToErrorsThatHideTheCause) {
    const auto* client = reinterpret_cast<const rd_kafka_t*>(&trouble); // an address, never looked at
    note_trouble(client, {"h:1: refused", true});
    const auto down = error_of(client, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "metadata");
    EXPECT_STREQ(down.what(), "metadata: h:1: refused (_ALL_BROKERS_DOWN)");
    EXPECT_TRUE(down.refused());
    EXPECT_STREQ(error_of(client, RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, "metadata").what(),
                 "metadata (TOPIC_EXCEPTION)");
    forget_trouble(client);
    EXPECT_STREQ(error_of(client, RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, "metadata").what(),
                 "metadata (_ALL_BROKERS_DOWN)");
}

} // namespace
} // namespace outbox::kafka
