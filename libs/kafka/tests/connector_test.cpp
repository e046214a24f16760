#include "wire/connector.hpp"

#include <outbox/kafka/error.hpp>

#include <gtest/gtest.h>

namespace outbox::kafka {
namespace {

Properties with(Properties properties, const Properties& more) {
    properties.insert(more.begin(), more.end());
    return properties;
}

const Properties encrypted{{"security.protocol", "ssl"}};
const Properties authenticated{{"security.protocol", "SASL_SSL"},
                               {"sasl.mechanism", "SCRAM-SHA-512"},
                               {"sasl.username", "ada"},
                               {"sasl.password", "s3cret"}};

TEST(ConnectionSecurity, IsNoneByDefault) {
    const auto security = security_for({});
    ASSERT_TRUE(security);
    EXPECT_FALSE(security->tls);
    EXPECT_FALSE(security->sasl);
}

TEST(ConnectionSecurity, VerifiesChainAndHostUnlessLibrdkafkaIsToldNotTo) {
    auto security = security_for(encrypted);
    ASSERT_TRUE(security && security->tls);
    EXPECT_TRUE(security->tls->verify_chain);
    EXPECT_TRUE(security->tls->verify_host);
    EXPECT_FALSE(security->sasl);
    security = security_for(with(encrypted, {{"ssl.endpoint.identification.algorithm", "none"}}));
    EXPECT_TRUE(security->tls->verify_chain);
    EXPECT_FALSE(security->tls->verify_host);
    security = security_for(with(encrypted, {{"enable.ssl.certificate.verification", "false"}}));
    EXPECT_FALSE(security->tls->verify_chain);
}

TEST(ConnectionSecurity, HasTheFilesOfLibrdkafka) {
    const auto security = security_for(with(encrypted, {{"ssl.ca.location", "/ca"},
                                                        {"ssl.certificate.location", "/crt"},
                                                        {"ssl.key.location", "/key"},
                                                        {"ssl.key.password", "word"}}));
    ASSERT_TRUE(security && security->tls);
    EXPECT_EQ(security->tls->ca, "/ca");
    EXPECT_EQ(security->tls->certificate, "/crt");
    EXPECT_EQ(security->tls->key, "/key");
    EXPECT_EQ(security->tls->key_password, "word");
}

TEST(ConnectionSecurity, HasUserAndPassword) {
    auto security = security_for(authenticated);
    ASSERT_TRUE(security && security->tls && security->sasl);
    EXPECT_EQ(security->sasl->mechanism, "SCRAM-SHA-512");
    EXPECT_EQ(security->sasl->user, "ada");
    EXPECT_EQ(security->sasl->password, "s3cret");
    security = security_for({{"security.protocol", "SASL_PLAINTEXT"}, {"sasl.mechanisms", "plain"}});
    ASSERT_TRUE(security && security->sasl);
    EXPECT_FALSE(security->tls);
    EXPECT_EQ(security->sasl->mechanism, "PLAIN");
}

TEST(ConnectionSecurity, IsNotGuessedWhereThePropertiesSayMoreThanIsSpoken) {
    EXPECT_FALSE(security_for({{"security.protocol", "SASL_SSL"}})); // GSSAPI
    EXPECT_FALSE(security_for({{"security.protocol", "SASL_SSL"}, {"sasl.mechanism", "OAUTHBEARER"}}));
    EXPECT_FALSE(security_for(with(encrypted, {{"ssl.keystore.location", "/store"}})));
    EXPECT_TRUE(security_for(with(encrypted, {{"socket.keepalive.enable", "false"}})));
    const Connector connector({"localhost:1", "test", {{"security.protocol", "SASL_SSL"}}});
    EXPECT_FALSE(connector.able());
    EXPECT_THROW(static_cast<void>(connector.open({"localhost", 1}, Deadline::in(milliseconds(100)))),
                 KafkaError);
}

TEST(ConnectionSecurity, NamesAFileThatIsNoCertificate) {
    for (const char* property : {"ssl.ca.location", "ssl.certificate.location", "ssl.key.location"}) {
        try {
            const Connector connector({"localhost:1", "test", with(encrypted, {{property, "/dev/null"}})});
            ADD_FAILURE() << property << " is accepted";
        } catch (const KafkaError& error) {
            EXPECT_EQ(error_name(error.code()), "_SSL");
            EXPECT_EQ(std::string(error.what()).find("/dev/null: "), 0U) << error.what();
        }
    }
}

} // namespace
} // namespace outbox::kafka
