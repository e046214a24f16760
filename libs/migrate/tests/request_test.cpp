#include <outbox/core/error.hpp>
#include <outbox/migrate/request.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox::migrations {
namespace {

using testing::HasSubstr;
using Words = std::vector<std::string>;
using Options = std::map<std::string, std::string>;

Request parse(const Words& words, const Options& options = {}) {
    return parse_request({.settings = {}, .words = words, .options = options});
}

std::string refusal(const Words& words, const Options& options = {}) {
    try {
        parse(words, options);
        return "it was not refused";
    } catch (const UsageError& error) {
        return error.what();
    }
}

TEST(MigrateRequest, KnowsItsFourCommands) {
    EXPECT_EQ(parse({"up"}).command, Command::up);
    EXPECT_EQ(parse({"down"}).command, Command::down);
    EXPECT_EQ(parse({"status"}).command, Command::status);
    EXPECT_EQ(parse({"version"}).command, Command::version);
}

TEST(MigrateRequest, DownWithoutNumberIsOneStep) {
    EXPECT_EQ(parse({"down"}).count, 1);
    EXPECT_EQ(parse({"down", "12"}).count, 12);
}

TEST(MigrateRequest, WithoutCommandListsThem) {
    EXPECT_THAT(refusal({}), HasSubstr("up, down [N], status or version"));
    EXPECT_THAT(refusal({"sideways"}),
                HasSubstr("sideways is not a command: it must be up, down [N], status"));
}

TEST(MigrateRequest, RefusesNumbersThatAreNone) {
    for (const char* word : {"x", "0", "-1", "1x", "", "1.5", "99999999999999"}) {
        EXPECT_THAT(refusal({"down", word}), HasSubstr("whole number from 1")) << word;
    }
}

TEST(MigrateRequest, RefusesExtraWords) {
    EXPECT_THAT(refusal({"up", "3"}), HasSubstr("3 is one word too many"));
    EXPECT_THAT(refusal({"down", "3", "4"}), HasSubstr("4 is one word too many"));
    EXPECT_THAT(refusal({"status", "up"}), HasSubstr("up is one word too many"));
}

TEST(MigrateRequest, TakesOnlyTheTwoMeaningsOfProcessingAndOnlyWithUp) {
    EXPECT_EQ(parse({"up"}, {{"processing", "resend"}}).processing, "resend");
    EXPECT_EQ(parse({"up"}, {{"processing", "sent"}}).processing, "sent");
    EXPECT_EQ(parse({"up"}).processing, std::nullopt);
    EXPECT_THAT(refusal({"up"}, {{"processing", "new"}}), HasSubstr("must be resend or sent"));
    EXPECT_THAT(refusal({"up"}, {{"processing", ""}}), HasSubstr("must be resend or sent"));
    EXPECT_THAT(refusal({"down"}, {{"processing", "sent"}}), HasSubstr("belongs to up"));
}

TEST(MigrateRequest, KeepsTheFolder) {
    EXPECT_EQ(parse({"status"}, {{"dir", "elsewhere"}}).folder, "elsewhere");
    EXPECT_EQ(parse({"status"}).folder, std::nullopt);
}

} // namespace
} // namespace outbox::migrations
