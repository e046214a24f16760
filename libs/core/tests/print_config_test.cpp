#include "print_config.hpp"

#include <outbox/core/json.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>

namespace outbox {
namespace {

const char* nothing(const char*) {
    return nullptr;
}

const char* some_environment(const char* name) {
    const std::string_view asked = name;
    return asked == "DB_PORT"                    ? "6000"
           : asked == "DB_USER"                  ? "  \n"
           : asked == "KAFKA_PRODUCER_LINGER_MS" ? "7"
                                                 : nullptr;
}

PrintedSetting printed(const Sources& sources, const std::string& name, Program program = Program::relay) {
    const auto settings = Settings::load(program, sources.flags, sources.environment, sources.file);
    const auto all = printed_settings(program, settings, sources);
    const auto found = std::ranges::find(all, name, &PrintedSetting::name);
    return found == all.end() ? PrintedSetting{} : *found;
}

TEST(PrintedConfig, SaysWhereEachValueCameFrom) {
    Sources sources{{{"DB_HOST", "db"}}, some_environment, {}, {{"DB_NAME", "outbox.toml:2:1"}}};
    sources.file.settings = {{"DB_NAME", "shop"}, {"DB_HOST", "other"}};
    EXPECT_EQ(printed(sources, "DB_HOST"), (PrintedSetting{"DB_HOST", "db", "flag", "--db-host"}));
    EXPECT_EQ(printed(sources, "DB_PORT"), (PrintedSetting{"DB_PORT", "6000", "variable", "DB_PORT"}));
    EXPECT_EQ(printed(sources, "DB_NAME"), (PrintedSetting{"DB_NAME", "shop", "file", "outbox.toml:2:1"}));
    EXPECT_EQ(printed(sources, "DB_SCHEMA"), (PrintedSetting{"DB_SCHEMA", "public", "default", ""}));
}

TEST(PrintedConfig, HidesSecretsAlsoThoseInsideUrls) {
    const Sources sources{
        {{"DB_PASSWORD", "s3cret"}, {"OUTBOX_SOURCE", "https://me:s3cret@host/x"}}, nothing, {}, {}};
    EXPECT_EQ(printed(sources, "DB_PASSWORD").value, "***");
    EXPECT_EQ(printed(sources, "KAFKA_SASL_PASSWORD").value, "") << "none is told from a hidden one";
    EXPECT_EQ(printed(sources, "OUTBOX_SOURCE").value, "https://me:***@host/x");
}

TEST(PrintedConfig, NamesTheFileOfASecret) {
    const std::string path = testing::TempDir() + "print_config_secret";
    std::ofstream(path) << "s3cret\n";
    const Sources sources{{{"DB_PASSWORD_FILE", path}}, nothing, {}, {}};
    EXPECT_EQ(printed(sources, "DB_PASSWORD"),
              (PrintedSetting{"DB_PASSWORD", "***", "file", path + ", by DB_PASSWORD_FILE"}));
}

TEST(PrintedConfig, HoldsGroupsAndHidesTheirSecrets) {
    Sources sources{{}, some_environment, {}, {}};
    sources.file.groups["KAFKA_PRODUCER"] = {{"LINGER_MS", "7"}, {"SSL_KEY_PASSWORD", "s3cret"}};
    EXPECT_EQ(printed(sources, "KAFKA_PRODUCER_LINGER_MS").source, "variable");
    EXPECT_EQ(printed(sources, "KAFKA_PRODUCER_SSL_KEY_PASSWORD").value, "***");
}

TEST(PrintedConfig, IsJsonWhateverAValueHolds) {
    const auto text = to_json("outbox-relay", {{"A", "\"\\\n", "flag", "--a"}, {"B", "", "default", ""}});
    EXPECT_TRUE(json::is_json(text)) << text;
    EXPECT_EQ(to_text({{"A", "1", "flag", "--a"}, {"B", "", "default", ""}}),
              "A=1  # flag: --a\nB=  # default\n");
}

} // namespace
} // namespace outbox
