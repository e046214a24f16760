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
    const Arguments arguments{.settings = {}, .words = words, .options = options};
    verb_of(command_line(), arguments);
    return parse_request(arguments);
}

std::string refusal(const Words& words, const Options& options = {}) {
    try {
        parse(words, options);
        return "it was not refused";
    } catch (const UsageError& error) {
        return error.what();
    }
}

TEST(MigrateRequest, KnowsItsCommands) {
    EXPECT_EQ(parse({"up"}).command, Command::up);
    EXPECT_EQ(parse({"down"}).command, Command::down);
    EXPECT_EQ(parse({"status"}).command, Command::status);
    EXPECT_EQ(parse({"version"}).command, Command::version);
    EXPECT_EQ(parse({"unmap", "a.b"}).table, "a.b");
    EXPECT_EQ(parse({"sql", "outbox_retry"}).statement, "outbox_retry");
    EXPECT_EQ(parse({"sql"}).statement, std::nullopt);
}

TEST(MigrateRequest, DownWithoutNumberIsOneStep) {
    EXPECT_EQ(parse({"down"}).count, 1);
    EXPECT_EQ(parse({"down", "12"}).count, 12);
}

TEST(MigrateRequest, WithoutCommandListsThem) {
    EXPECT_THAT(refusal({}), HasSubstr("up, down [N], status, version, unmap TABLE or sql [NAME]"));
    EXPECT_THAT(refusal({"sideways"}), HasSubstr("sideways is not a verb: it must be up, down [N], status"));
    EXPECT_THAT(refusal({"pu"}), HasSubstr("did you mean up?"));
}

TEST(MigrateRequest, RefusesNumbersThatAreNone) {
    for (const char* word : {"x", "0", "-1", "1x", "", "1.5", "99999999999999"}) {
        EXPECT_THAT(refusal({"down", word}), HasSubstr("whole number from 1")) << word;
    }
}

TEST(MigrateRequest, RefusesExtraWords) {
    EXPECT_THAT(refusal({"up", "3"}), HasSubstr("3 is one word too many"));
    EXPECT_THAT(refusal({"down", "3", "4"}), HasSubstr("4 is one word too many"));
    EXPECT_THAT(refusal({"sql", "outbox_retry", "outbox_skip"}), HasSubstr("one word too many"));
    EXPECT_THAT(refusal({"status", "up"}), HasSubstr("up is one word too many"));
}

TEST(MigrateRequest, TakesOnlyTheTwoMeaningsOfProcessingAndOnlyWithUp) {
    EXPECT_EQ(parse({"up"}, {{"processing", "resend"}}).processing, "resend");
    EXPECT_EQ(parse({"up"}, {{"processing", "sent"}}).processing, "sent");
    EXPECT_EQ(parse({"up"}).processing, std::nullopt);
    EXPECT_TRUE(parse({"up"}, {{"convert", ""}}).convert);
    EXPECT_FALSE(parse({"up"}).convert);
    EXPECT_THAT(refusal({"up"}, {{"processing", "new"}}), HasSubstr("must be resend or sent"));
    EXPECT_THAT(refusal({"up"}, {{"processing", ""}}), HasSubstr("must be resend or sent"));
    EXPECT_THAT(refusal({"down"}, {{"processing", "sent"}}), HasSubstr("belongs to up"));
}

TEST(MigrateRequest, KeepsTheFolder) {
    EXPECT_EQ(parse({"status"}, {{"dir", "elsewhere"}}).folder, "elsewhere");
    EXPECT_EQ(parse({"status"}).folder, std::nullopt);
}

/// What parse_request makes of `up` with a section [table].
MapOptions map_options(const Options& options) {
    const auto nothing = [](const char*) -> const char* { return nullptr; };
    const ConfigFile file{.settings = {}, .groups = {{"TABLE", {{"name", "outbox"}}}}};
    return parse_request({.settings = Settings::load(Program::migrate, {}, nothing, file),
                          .words = {"up"},
                          .options = options})
        .mapping;
}

TEST(MigrateRequest, ATableIsTakenOverWithPublicationAndSlot) {
    EXPECT_EQ(map_options({{"existing", "send"}}).existing, "send");
    const auto options = map_options({{"publication", "p"}, {"slot", "s"}});
    ASSERT_TRUE(options.handover);
    EXPECT_EQ(options.handover->publication, "p");
    EXPECT_EQ(options.handover->slot, "s");
}

TEST(MigrateRequest, WhatDoesNotGoTogetherIsRefused) {
    EXPECT_THROW(map_options({{"publication", "p"}}), UsageError);
    EXPECT_THROW(map_options({{"slot", "s"}}), UsageError);
    EXPECT_THROW(map_options({{"publication", "p"}, {"slot", "s"}, {"existing", "send"}}), UsageError);
    EXPECT_THROW(map_options({{"existing", "all"}}), UsageError);
    EXPECT_THAT(refusal({"up"}, {{"existing", "send"}}), HasSubstr("must name it in [table]"));
    EXPECT_THAT(refusal({"down"}, {{"existing", "send"}}), HasSubstr("belongs to up"));
    EXPECT_THAT(refusal({"unmap"}), HasSubstr("unmap needs a table"));
    EXPECT_THAT(refusal({"unmap", "a", "b"}), HasSubstr("one word too many"));
}

} // namespace
} // namespace outbox::migrations
