#include <outbox/core/command_line.hpp>
#include <outbox/core/completion.hpp>
#include <outbox/core/error.hpp>
#include <outbox/core/man_page.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace outbox {
namespace {

using testing::HasSubstr;
using testing::Not;
using Words = std::vector<const char*>;

CommandLineSpec spec() {
    const auto verb = [](const char* name, const char* words, std::vector<Option> options) {
        return Verb{.name = name,
                    .words = words,
                    .summary = std::string(name) + " in a word",
                    .about = "More of it.",
                    .options = std::move(options),
                    .settings = "DB_*",
                    .exit_codes = "0 done, 7 odd",
                    .example = std::string("tool ") + name + " --example"};
    };
    return {.program = Program::relay,
            .name = "tool",
            .description = "Does its usual work.",
            .options = {{"dry-run", "", "only counts"}},
            .verbs = {verb("pause", "", {{"topic", "NAME", "this topic"}, {"force", "", "all the same"}}),
                      verb("reshard", "N", {{"force", "", "also now"}}), verb("down", "[N]", {})}};
}

Arguments parse(Words words, const CommandLineSpec& of = spec()) {
    words.insert(words.begin(), "tool");
    return parse_command_line(of, static_cast<int>(words.size()), words.data());
}

std::string refusal(const Words& words, const CommandLineSpec& of = spec()) {
    try {
        parse(words, of);
        return "it was not refused";
    } catch (const UsageError& error) {
        return error.what();
    }
}

TEST(CommandLine, TakesAVerbItsWordsAndItsOptionsInAnyOrder) {
    const auto arguments = parse({"--topic", "orders", "-force", "pause", "-db-port=5"});
    EXPECT_EQ(arguments.words, std::vector<std::string>{"pause"});
    EXPECT_EQ(arguments.options, (std::map<std::string, std::string>{{"topic", "orders"}, {"force", ""}}));
    EXPECT_EQ(arguments.settings.text("DB_PORT"), "5");
    EXPECT_EQ(parse({"reshard", "3"}).words, (std::vector<std::string>{"reshard", "3"}));
    EXPECT_EQ(parse({"--dry-run"}).options.count("dry-run"), 1U);
}

TEST(CommandLine, RefusesWhatIsNoVerbAndNamesTheNearest) {
    EXPECT_EQ(refusal({"puase"}),
              "puase is not a verb: it must be pause, reshard N or down [N]; did you mean pause?");
    EXPECT_EQ(refusal({"sideways"}), "sideways is not a verb: it must be pause, reshard N or down [N]");
    EXPECT_THAT(refusal({"hlep"}), HasSubstr("did you mean help?"));
}

TEST(CommandLine, RefusesWhatIsNoOptionAndNamesTheNearestOfTheVerb) {
    EXPECT_EQ(refusal({"pause", "--tpoic=x"}),
              "--tpoic=x is not an option; did you mean --topic?; see tool pause --help");
    EXPECT_EQ(refusal({"--db-hots", "x"}),
              "--db-hots is not an option; did you mean --db-host?; see tool --help");
    EXPECT_EQ(refusal({"--tpoic", "pause"}),
              "--tpoic is not an option; did you mean --topic?; see tool pause --help");
    EXPECT_EQ(refusal({"--sideways"}), "--sideways is not an option; see tool --help");
    EXPECT_THAT(refusal({"-dryrun"}), HasSubstr("did you mean --dry-run?"));
}

TEST(CommandLine, RefusesAnOptionOfAnotherVerb) {
    EXPECT_EQ(refusal({"reshard", "3", "--topic=x"}), "--topic belongs to pause, not to reshard");
    EXPECT_EQ(refusal({"--force"}), "--force needs a verb: pause, reshard");
    EXPECT_EQ(refusal({"down", "--dry-run"}), "--dry-run belongs to tool without a verb, not to down");
}

TEST(CommandLine, RefusesAnOptionWithoutItsValueUnlessThatIsFreeText) {
    EXPECT_EQ(refusal({"pause", "--topic="}), "--topic= is not allowed: it must not be empty");
    auto tool = spec();
    tool.verbs[0].options.push_back({"reason", "TEXT", "why"});
    EXPECT_EQ(parse({"pause", "--reason="}, tool).option("reason"), "");
    EXPECT_EQ(parse({"pause"}, tool).option("reason"), std::nullopt);
}

TEST(CommandLine, RefusesAWordTooManyAndAMissingVerb) {
    EXPECT_EQ(refusal({"pause", "x"}), "x is one word too many after pause");
    EXPECT_EQ(refusal({"down", "3", "4"}), "4 is one word too many after 3");
    auto of = spec();
    of.needs_verb = true;
    EXPECT_THAT(refusal({}, of), HasSubstr("a verb is missing: pause, reshard N or down [N]"));
    of.verbs.clear();
    of.needs_verb = false;
    EXPECT_THAT(refusal({"pause"}, of), HasSubstr("tool takes no words"));
}

TEST(CommandLine, ABadValueOfTheFileIsNamedWithItsLineUnlessAFlagWins) {
    const std::string path = std::filesystem::temp_directory_path() /
                             ("outbox-command-line-" + std::to_string(getpid()) + ".toml");
    std::ofstream(path) << "[relay]\nbatch_size = 'abc'\n";
    EXPECT_EQ(refusal({"--config", path.c_str()}),
              path + ":2:14: relay.batch_size=abc is not allowed: it must be a whole number from 1 to 10000");
    EXPECT_EQ(refusal({"--config", path.c_str(), "--relay-batch-size=x"}),
              "RELAY_BATCH_SIZE=x is not allowed: it must be a whole number from 1 to 10000");
    EXPECT_EQ(parse({"--config", path.c_str(), "--relay-batch-size=5"}).places.count("RELAY_BATCH_SIZE"), 0U);
    std::filesystem::remove(path);
}

TEST(CommandLine, HelpOfAVerbIsOfTheVerbAlone) {
    const auto of = spec();
    const std::string help = help_of(of, &of.verbs[0]);
    for (const char* part :
         {"tool pause [OPTIONS]", "pause in a word", "More of it.", "--topic NAME", "this topic", "--force",
          "Settings: DB_*", "0 done, 7 odd", "tool pause --example"}) {
        EXPECT_THAT(help, HasSubstr(part));
    }
    for (const char* part : {"usual work", "--dry-run", "also now", "--db-host", "reshard"}) {
        EXPECT_THAT(help, Not(HasSubstr(part)));
    }
}

TEST(CommandLine, HelpOfTheProgramListsVerbsAndSettings) {
    const std::string help = help_of(spec());
    for (const char* part : {"tool [VERB] [OPTIONS]", "usual work", "pause in a word", "reshard N",
                             "--dry-run", "--db-host", "--config", "--version", "2 bad usage"}) {
        EXPECT_THAT(help, HasSubstr(part));
    }
    EXPECT_THAT(help, Not(HasSubstr("this topic")));
}

TEST(CommandLine, PrintsHelpHoweverItIsAskedFor) {
    for (const Words& words :
         {Words{"pause", "--help"}, {"--help", "pause"}, {"help", "pause"}, {"pause", "--force", "-h"}}) {
        EXPECT_EXIT(parse(words), testing::ExitedWithCode(0), "") << words[0];
    }
    EXPECT_EXIT(parse({"--version"}), testing::ExitedWithCode(0), "");
    EXPECT_THAT(refusal({"help", "puase"}), HasSubstr("did you mean pause?"));
    EXPECT_THAT(refusal({"puase", "--help"}), HasSubstr("did you mean pause?"));
}

TEST(CommandLine, TheManualPageHoldsNothingThatRoffWouldTakeForItsOwn) {
    auto tool = spec();
    tool.verbs[0].about = ".Begins with a dot\n'and with a quote; a \\n backslash.";
    const auto page = man_page_of(tool);
    EXPECT_THAT(page, HasSubstr("\n\\&.Begins with a dot\n\\&'and with a quote; a \\en backslash."));
    EXPECT_THAT(page, HasSubstr(".SS down [N]"));
    EXPECT_THAT(page, HasSubstr("\\fB\\-\\-topic\\fR \\fINAME\\fR\nthis topic"));
}

TEST(CommandLine, CompletionsQuoteWhatAShellWouldTakeForItsOwn) {
    auto tool = spec();
    tool.verbs[0].options[0].meaning = "it's [this]: one";
    EXPECT_THAT(completion_of(tool, "zsh"), HasSubstr("'--topic=[it'\\''s \\[this\\]\\: one]:NAME: '"));
    EXPECT_THAT(completion_of(tool, "fish"), HasSubstr("-l topic -d 'it\\'s [this]: one' -x\n"));
}

TEST(CommandLine, AVerbIsCompletedWithTheSettingsThatItReads) {
    const auto script = completion_of(spec(), "fish");
    EXPECT_THAT(script, HasSubstr("'__fish_seen_subcommand_from pause' -l db-host "));
    EXPECT_THAT(script, Not(HasSubstr("'__fish_seen_subcommand_from pause' -l kafka-brokers ")));
}

} // namespace
} // namespace outbox
