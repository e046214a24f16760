#include <outbox/core/error.hpp>
#include <outbox/core/settings.hpp>

#include <gtest/gtest.h>

#include <cstdlib>

namespace outbox {
namespace {

const char* nothing(const char*) {
    return nullptr;
}

std::string message_of(const std::map<std::string, std::string>& flags) {
    try {
        Settings::load(Program::relay, flags, nothing);
    } catch (const UsageError& error) {
        return error.what();
    }
    return "accepted";
}

TEST(Settings, FlagsWinOverTheEnvironmentAndThatOverDefaults) {
    const auto environment = [](const char* name) -> const char* {
        const std::string_view variable = name;
        return variable == "DB_HOST" ? "from-env" : variable == "DB_NAME" ? "env-db" : nullptr;
    };
    const auto settings = Settings::load(Program::relay, {{"DB_HOST", "from-flag"}}, environment);
    EXPECT_EQ(settings.text("DB_HOST"), "from-flag");
    EXPECT_EQ(settings.text("DB_NAME"), "env-db");
    EXPECT_EQ(settings.integer("DB_PORT"), 5432);
}

TEST(Settings, AnEmptyVariableCountsAsUnset) {
    const auto settings = Settings::load(Program::relay, {}, [](const char*) -> const char* { return ""; });
    EXPECT_EQ(settings.text("DB_USER"), "postgres");
}

TEST(Settings, ABadValueIsNamedWithWhatIsAllowed) {
    EXPECT_EQ(message_of({{"RELAY_BATCH_SIZE", "abc"}}),
              "RELAY_BATCH_SIZE=abc is not allowed: it must be a whole number from 1 to 10000");
    EXPECT_EQ(message_of({{"RELAY_TRACK_PROCESSING", "yes"}}),
              "RELAY_TRACK_PROCESSING=yes is not allowed: it must be on or off");
    EXPECT_EQ(
        message_of({{"RELAY_POLL_INTERVAL", "0"}}),
        "RELAY_POLL_INTERVAL=0 is not allowed: it must be seconds from 0.01 to 3600, fractions allowed");
    EXPECT_NE(message_of({{"DB_PORT", "5432x"}}), "accepted");
    EXPECT_NE(message_of({{"DB_PORT", "-1"}}), "accepted");
    EXPECT_NE(message_of({{"RELAY_POLL_INTERVAL", "nan"}}), "accepted");
}

TEST(Settings, WhatKubernetesSaysOfAServiceIsRefusedWithTheWayOut) {
    EXPECT_EQ(
        message_of({{"DB_PORT", "tcp://10.96.0.1:5432"}}),
        "DB_PORT=tcp://10.96.0.1:5432 is not allowed: it must be a whole number from 1 to 65535; Kubernetes "
        "sets such a value for a Service named db: say enableServiceLinks: false in the pod's spec, or set "
        "DB_PORT there");
    EXPECT_NE(
        message_of({{"RELAY_SHARDS", "udp://10.96.0.1:53"}})
            .find(
                "for a Service: say enableServiceLinks: false in the pod's spec, or set RELAY_SHARDS there"),
        std::string::npos);
}

TEST(Settings, AnEmptyFlagIsAValueThatOnlySecretsAndWhatHasNoDefaultMayHave) {
    EXPECT_EQ(
        message_of({{"DB_HOST", ""}}),
        "DB_HOST= is not allowed: it must be a host or a socket's folder, or several with commas between");
    EXPECT_EQ(message_of({{"DB_NAME", "\n"}}), "DB_NAME= is not allowed: it must be text, not empty");
    EXPECT_EQ(message_of({{"DB_PORT", ""}}),
              "DB_PORT= is not allowed: it must be a whole number from 1 to 65535");
    const auto settings =
        Settings::load(Program::relay,
                       {{"DB_PASSWORD", ""}, {"OUTBOX_NAME", ""}, {"KAFKA_REPLICATION_FACTOR", ""}}, nothing);
    EXPECT_EQ(settings.text("DB_PASSWORD"), "");
    EXPECT_FALSE(settings.has("OUTBOX_NAME"));
    EXPECT_FALSE(settings.has("KAFKA_REPLICATION_FACTOR"));
}

TEST(Settings, BrokersAreHostsWithPorts) {
    for (const char* good :
         {"localhost", "localhost:9092", "a:1,b:2", "a:1, b:2", "[::1]:9092", "[::1]", "PLAINTEXT://a:9092",
          "a:1,", " a:1 ,\tb:2 ,\n", "a:1\r\n", "kafka-1.example.org:9092"}) {
        EXPECT_EQ(message_of({{"KAFKA_BROKERS", good}}), "accepted") << good;
    }
    for (const char* bad : {":::",          ",",
                            "a,,",          "a,,b",
                            ",a",           ",,",
                            ":9092",        "a:",
                            "a:port",       "a:0",
                            "a:65536",      "::1",
                            "a b:1",        "a:1 b:2",
                            "PLAINTEXT://", "http://a:9092",
                            "https://a",    "a:9092/",
                            "a/b:9092",     "tcp://a:1,b:2",
                            "user@a:1",     "kafka://a:9092"}) {
        EXPECT_EQ(message_of({{"KAFKA_BROKERS", bad}}),
                  std::string("KAFKA_BROKERS=") + bad +
                      " is not allowed: it must be host:port, or several with commas between");
    }
}

TEST(Settings, WhatFilesAndYamlLeaveAroundAValueDoesNotCount) {
    const auto settings = Settings::load(Program::relay,
                                         {{"KAFKA_BROKERS", " a:1 , b:2,\n"},
                                          {"DB_HOST", "one, two,\n"},
                                          {"DB_PORT", "5433\r\n"},
                                          {"DB_NAME", "shop\n"},
                                          {"RELAY_POLL_INTERVAL", "\t0.5 "},
                                          {"RELAY_ON_FAILED", "Block-Key\n"},
                                          {"OUTBOX_SOURCE", "/outbox/shop\n"}},
                                         nothing);
    EXPECT_EQ(settings.text("KAFKA_BROKERS"), "a:1,b:2");
    EXPECT_EQ(settings.text("DB_HOST"), "one,two");
    EXPECT_EQ(settings.integer("DB_PORT"), 5433);
    EXPECT_EQ(settings.text("DB_NAME"), "shop");
    EXPECT_EQ(settings.seconds("RELAY_POLL_INTERVAL"), std::chrono::milliseconds(500));
    EXPECT_EQ(settings.text("RELAY_ON_FAILED"), "block-key");
    EXPECT_EQ(settings.text("OUTBOX_SOURCE"), "/outbox/shop");
}

TEST(Settings, ANameMayHaveBlanksAndASecretStaysByteForByte) {
    const auto settings = Settings::load(
        Program::relay, {{"DB_NAME", " my shop "}, {"DB_PASSWORD", " p \n"}, {"KAFKA_SASL_PASSWORD", "\n"}},
        nothing);
    EXPECT_EQ(settings.text("DB_NAME"), " my shop ");
    EXPECT_EQ(settings.text("DB_PASSWORD"), " p \n");
    EXPECT_EQ(settings.text("KAFKA_SASL_PASSWORD"), "\n");
}

TEST(Settings, AVariableOfBlanksAloneCountsAsUnset) {
    const auto settings = Settings::load(Program::relay, {}, [](const char* name) -> const char* {
        return std::string_view(name) == "DB_PASSWORD" ? nullptr : "\n";
    });
    EXPECT_EQ(settings.text("KAFKA_BROKERS"), "localhost:9092");
    EXPECT_EQ(settings.integer("RELAY_SHARDS"), 8);
    EXPECT_EQ(settings.text("DB_NAME"), "outbox_db");
}

TEST(Settings, TheSourceIsAUriReference) {
    for (const char* good : {"/outbox/orders", "https://example.org/a?b=c#d", "urn:x:y", "%C3%A9"}) {
        EXPECT_EQ(message_of({{"OUTBOX_SOURCE", good}}), "accepted") << good;
    }
    for (const char* bad : {"not a uri", "é", "<x>", "a\tb"}) {
        EXPECT_EQ(message_of({{"OUTBOX_SOURCE", bad}}),
                  std::string("OUTBOX_SOURCE=") + bad +
                      " is not allowed: it must be a URI reference, such as /outbox/orders");
    }
}

TEST(Settings, ChoicesMayBeWrittenInCapitalsOrWithout) {
    const auto settings =
        Settings::load(Program::relay,
                       {{"KAFKA_SECURITY_PROTOCOL", "sasl_ssl"}, {"RELAY_TRACK_PROCESSING", "OFF"}}, nothing);
    EXPECT_EQ(settings.text("KAFKA_SECURITY_PROTOCOL"), "SASL_SSL");
    EXPECT_FALSE(settings.on("RELAY_TRACK_PROCESSING"));
}

TEST(Settings, SecondsMayBeFractions) {
    const auto settings = Settings::load(Program::relay, {{"RELAY_POLL_INTERVAL", "0.25"}}, nothing);
    EXPECT_EQ(settings.seconds("RELAY_POLL_INTERVAL"), std::chrono::milliseconds(250));
}

TEST(Settings, EveryDefaultIsAllowedByItsOwnRule) {
    for (const Setting& setting : all_settings()) {
        if (!setting.fallback.empty()) {
            const std::map<std::string, std::string> flags{
                {std::string(setting.name), std::string(setting.fallback)}};
            EXPECT_NO_THROW(Settings::load(Program::everything, flags, nothing)) << setting.name;
        }
    }
}

} // namespace
} // namespace outbox
