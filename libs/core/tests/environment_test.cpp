#include <outbox/core/environment.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Entries = std::vector<std::string_view>;

TEST(Environment, WarnsOfWhatLooksLikeASettingAndIsNone) {
    EXPECT_THAT(environment_warnings(Entries{"RELAY_BATCHSIZE=50", "DB_HOTS=x", "OUTBOX_BATCH_SIZE=1"}),
                ElementsAre("no program knows the variable DB_HOTS; did you mean DB_HOST?",
                            "no program knows the variable OUTBOX_BATCH_SIZE; did you mean RELAY_BATCH_SIZE?",
                            "no program knows the variable RELAY_BATCHSIZE; did you mean RELAY_BATCH_SIZE?"));
    EXPECT_THAT(
        environment_warnings(Entries{"SERVER_PORT=8080", "KAFKA_BOOTSTRAP_SERVERS=k:9092"}),
        ElementsAre("no program knows the variable KAFKA_BOOTSTRAP_SERVERS; did you mean KAFKA_BROKERS?",
                    "no program knows the variable SERVER_PORT; did you mean PORT?"));
}

TEST(Environment, WhatIsLikeNothingIsOneLine) {
    EXPECT_THAT(environment_warnings(Entries{"KAFKA_HEAP_OPTS=-Xmx1g", "DB_CONNECTION_POOLING=9"}),
                ElementsAre("no program knows the variables DB_CONNECTION_POOLING, KAFKA_HEAP_OPTS"));
    std::vector<std::string> names;
    for (int i = 10; i < 30; ++i) {
        names.push_back("OUTBOX_ZZZZZZ_" + std::to_string(i) + "=secret");
    }
    const auto warnings = environment_warnings(Entries(names.begin(), names.end()));
    ASSERT_EQ(warnings.size(), 1U);
    EXPECT_THAT(warnings[0], testing::HasSubstr("OUTBOX_ZZZZZZ_19 and 10 more"));
    EXPECT_THAT(warnings[0], testing::Not(testing::HasSubstr("secret")));
}

TEST(Environment, SaysNothingOfSettingsOfAnyProgramNorOfOtherSoftware) {
    EXPECT_THAT(environment_warnings(
                    Entries{"RELAY_SHARDS=8", "SERVER_WORKERS=4", "KAFKA_PRODUCER_LINGER_MS=5", "PATH=/bin",
                            "PORT=80", "DATABASE=x", "RELAY=x", "RELAY_BATCHSIZE=", "OUTBOX_TEST_STACK=1"}),
                IsEmpty());
}

TEST(Environment, WarnsOfASecretThatEndsInALinesEnd) {
    EXPECT_THAT(
        environment_warnings(Entries{"DB_PASSWORD=x\n", "KAFKA_SASL_PASSWORD=y", "DB_NAME=shop\n"}),
        ElementsAre("DB_PASSWORD ends in a line's end, which counts as a part of it; without: mend the "
                    "value, or have DB_PASSWORD_FILE name a file with it"));
}

TEST(Environment, SaysNothingOfTheServicesOfAPodsNamespace) {
    EXPECT_THAT(environment_warnings(Entries{
                    "RELAY_PORT=tcp://10.96.0.7:9464", "RELAY_SERVICE_HOST=10.96.0.7",
                    "RELAY_SERVICE_PORT=9464", "RELAY_SERVICE_PORT_METRICS=9464",
                    "RELAY_PORT_9464_TCP=tcp://10.96.0.7:9464", "RELAY_PORT_9464_TCP_PROTO=tcp",
                    "RELAY_PORT_9464_TCP_PORT=9464", "RELAY_PORT_9464_TCP_ADDR=10.96.0.7",
                    "OUTBOX_SERVICE_HOST=10.96.0.8", "OUTBOX_RELAY_PORT_9464_TCP=tcp://10.96.0.8:9464",
                    "KAFKA_PORT_53_UDP_ADDR=10.96.0.9", "DB_PORT_1_SCTP=sctp://10.96.0.9:1"}),
                IsEmpty());
    EXPECT_FALSE(is_service_link("RELAY_PORT", "8080"));
    EXPECT_FALSE(is_service_link("RELAY_PORT_NUMBER", "tcp://10.96.0.7:1"));
    EXPECT_THAT(environment_warnings(Entries{"RELAY_PORT=8080"}),
                ElementsAre("no program knows the variable RELAY_PORT"));
}

} // namespace
} // namespace outbox
