#include <outbox/core/config_places.hpp>
#include <outbox/core/error.hpp>
#include <outbox/core/settings.hpp>

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace outbox {
namespace {

/// A file that goes with the test.
class File {
public:
    explicit File(const std::string& content)
        : path_(std::filesystem::temp_directory_path() /
                ("outbox-config-" + std::to_string(getpid()) + "-" + std::to_string(++count))) {
        std::ofstream(path_) << content;
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() { std::filesystem::remove(path_); }

    [[nodiscard]] std::string path() const { return path_.string(); }

private:
    static inline int count = 0;
    std::filesystem::path path_;
};

const char* nothing(const char*) {
    return nullptr;
}

Settings load(const std::string& content, const std::map<std::string, std::string>& flags = {},
              const char* (*environment)(const char*) = nothing) {
    const File file(content);
    return Settings::load(Program::relay, flags, environment, read_config_file(file.path()));
}

/// What is said of a bad file, without the file's name.
std::string message_of(const std::string& content) {
    const File file(content);
    try {
        Settings::load(Program::relay, {}, nothing, read_config_file(file.path()));
    } catch (const UsageError& error) {
        const std::string text = error.what();
        return text.starts_with(file.path()) ? text.substr(file.path().size()) : text;
    }
    return "accepted";
}

TEST(ConfigFile, NamesSettingsByTheirPath) {
    const auto settings = load(R"(
RELAY_FORMAT = "raw"
[db]
host = "db.example.org"
port = 6432
[relay]
poll-interval = 0.25
track_processing = false
[kafka]
topic = "of another program"
)");
    EXPECT_EQ(settings.text("RELAY_FORMAT"), "raw");
    EXPECT_EQ(settings.text("DB_HOST"), "db.example.org");
    EXPECT_EQ(settings.integer("DB_PORT"), 6432);
    EXPECT_EQ(settings.seconds("RELAY_POLL_INTERVAL"), std::chrono::milliseconds(250));
    EXPECT_FALSE(settings.on("RELAY_TRACK_PROCESSING"));
}

TEST(ConfigFile, FlagsAndTheEnvironmentWinOverIt) {
    const auto environment = [](const char* name) -> const char* {
        return std::string_view(name) == "DB_USER" ? "env" : nullptr;
    };
    const auto settings =
        load("db = {host = 'file', user = 'file', name = 'file'}", {{"DB_HOST", "flag"}}, environment);
    EXPECT_EQ(settings.text("DB_HOST"), "flag");
    EXPECT_EQ(settings.text("DB_USER"), "env");
    EXPECT_EQ(settings.text("DB_NAME"), "file");
    EXPECT_EQ(settings.text("DB_PORT"), "5432");
}

TEST(ConfigFile, HoldsProducerPropertiesAndStrategiesByEventType) {
    const auto settings = load(R"(
[kafka.producer]
linger.ms = 20
"compression.type" = "zstd"
enable.idempotence = false
[partition_strategies]
"user.created" = "round-robin"
order.placed = "field:/customer/id"
)");
    const ConfigFile::Group properties{
        {"LINGER_MS", "20"}, {"COMPRESSION_TYPE", "zstd"}, {"ENABLE_IDEMPOTENCE", "false"}};
    EXPECT_EQ(settings.group("KAFKA_PRODUCER"), properties);
    const ConfigFile::Group strategies{{"user.created", "round-robin"},
                                       {"order.placed", "field:/customer/id"}};
    EXPECT_EQ(settings.group("PARTITION_STRATEGIES"), strategies);
}

TEST(ConfigFile, HoldsTheNamesOfATableOfYourOwn) {
    const auto settings = load("[table]\nname = 'outbox'\nevent_data = 'Payload'\n");
    EXPECT_EQ(settings.group("TABLE"), (ConfigFile::Group{{"name", "outbox"}, {"event_data", "Payload"}}));
}

TEST(ConfigFile, WhatIsWrongIsNamedWithItsLine) {
    EXPECT_EQ(message_of("[table]\nname = 'o'\npayload = 'p'\n").substr(0, 51),
              ":3:1: payload does not belong to [table], which kno");
    EXPECT_EQ(message_of("[table]\nname = 5\n"), ":2:8: name must be a text");
    EXPECT_EQ(message_of("[relay]\nfromat = 'raw'\n"),
              ":2:1: RELAY_FROMAT is not a setting; did you mean RELAY_FORMAT?");
    EXPECT_EQ(message_of("[db]\nport = [1]\n"), ":2:8: DB_PORT must be a text, a number, true or false");
    EXPECT_EQ(message_of("[db]\nport = 99999\n"),
              "DB_PORT=99999 is not allowed: it must be a whole number from 1 to 65535");
    EXPECT_EQ(message_of("a = 1\nb =\n").substr(0, 3), ":2:");
    EXPECT_THROW(read_config_file("/nowhere/at/all.toml"), UsageError);
    EXPECT_THROW(read_config_file("/tmp"), UsageError); // a folder, not an empty file
}

TEST(ConfigFile, AValueThatIsRefusedIsNamedWithItsLineAndKey) {
    const File file("[kafka.producer]\nacks = 1\n[relay]\nformat = 'raw'\n"
                    "[partition_strategies]\norder.placed = 'x'\n[table]\nname = 'a'");
    const auto places = read_config_places(file.path());
    const auto tail = [&](const std::string& refusal) {
        return located(refusal, places).substr(file.path().size());
    };
    EXPECT_EQ(tail("KAFKA_PRODUCER_ACKS=1 is refused"), ":2:8: kafka.producer.acks=1 is refused");
    EXPECT_EQ(tail("RELAY_FORMAT=raw is odd"), ":4:10: relay.format=raw is odd");
    EXPECT_EQ(tail("partition_strategies.order.placed=x"), ":6:16: partition_strategies.order.placed=x");
    EXPECT_EQ(tail("[table] name = \"a\" is odd"), ":8:8: [table] name = \"a\" is odd");
    EXPECT_EQ(located("RELAY_SHARDS=4 is odd", places), "RELAY_SHARDS=4 is odd");
    EXPECT_EQ(located("RELAY_FORMATS=raw", places), "RELAY_FORMATS=raw");
}

TEST(SecretFile, IsReadWithoutItsLastLinesEnd) {
    const File secret("s3cret word\n");
    const auto settings = Settings::load(Program::relay, {{"DB_PASSWORD_FILE", secret.path()}}, nothing);
    EXPECT_EQ(settings.text("DB_PASSWORD"), "s3cret word");
}

TEST(SecretFile, TheStrongerSourceWinsAndTwoOfOneKindAreRefused) {
    const File secret("from file");
    const auto environment = [](const char* name) -> const char* {
        return std::string_view(name) == "DB_PASSWORD" ? "from-env" : nullptr;
    };
    const auto load_with = [&](const std::map<std::string, std::string>& flags) {
        return Settings::load(Program::relay, flags, environment).text("DB_PASSWORD");
    };
    EXPECT_EQ(load_with({{"DB_PASSWORD_FILE", secret.path()}}), "from file");
    EXPECT_EQ(load_with({}), "from-env");
    EXPECT_THROW(load_with({{"DB_PASSWORD_FILE", secret.path()}, {"DB_PASSWORD", "x"}}), UsageError);
    EXPECT_THROW(load_with({{"DB_PASSWORD_FILE", "/nowhere/at/all"}}), UsageError);
    EXPECT_THROW(load_with({{"DB_PASSWORD_FILE", "/tmp"}}), UsageError);
}

} // namespace
} // namespace outbox
