#include <outbox/support/environment.hpp>
#include <outbox/support/process.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <stdexcept>

namespace outbox::support {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

Command shell(const std::string& script) {
    return {.words = {"sh", "-c", script}, .environment = {}};
}

TEST(Process, GivesBackExitCodeAndBothOutputs) {
    const Outcome outcome = run(shell("echo out; echo err >&2; exit 3"));
    EXPECT_EQ(outcome.exit_code, 3);
    EXPECT_EQ(outcome.signal, 0);
    EXPECT_EQ(outcome.output, "out\n");
    EXPECT_EQ(outcome.errors, "err\n");
}

TEST(Process, DoesNotBlockOnMuchOutput) {
    EXPECT_EQ(run(shell("head -c 3000000 /dev/zero")).output.size(), 3'000'000U);
}

TEST(Process, SetsAndUnsetsVariables) {
    Command command = shell("echo ${NEW_ONE-unset} ${HOME-unset}");
    command.environment = {{"NEW_ONE", "a b"}, {"HOME", ""}};
    EXPECT_EQ(run(command).output, "a b unset\n");
}

TEST(Process, IsKilledAtItsDeadlineAndSaysWhatItWrote) {
    try {
        run(shell("echo before; exec sleep 60"), 200ms);
        FAIL() << "a program that never ends was waited for";
    } catch (const std::runtime_error& error) {
        EXPECT_THAT(error.what(), HasSubstr("did not end in time"));
        EXPECT_THAT(error.what(), HasSubstr("before"));
    }
}

TEST(Process, TellsTheSignalThatEndedIt) {
    Process process(shell("echo ready; exec sleep 60"));
    ASSERT_TRUE(process.wait_for_text("ready", Deadline::in(10s)));
    EXPECT_TRUE(process.running());
    process.signal(SIGTERM);
    const Outcome outcome = process.wait(Deadline::in(10s));
    EXPECT_EQ(outcome.exit_code, -1);
    EXPECT_EQ(outcome.signal, SIGTERM);
    EXPECT_FALSE(process.running());
}

TEST(Process, IsWaitedForByWhatItSignals) {
    Process process(shell(
        R"(printf 'lost\tshard=1\nlost\tshard=11\treason=another owns it\nlos' > $OUTBOX_FAULT_SIGNALS; exec sleep 60)"));
    EXPECT_TRUE(process.wait_for(Signal("lost"), Deadline::in(10s), 2));
    EXPECT_EQ(process.signals().size(), 2U) << "a line that is not whole does not count";
    EXPECT_EQ(process.count(Signal("lost", 1)), 1);
    EXPECT_EQ(process.count(Signal("lost").with("shard", "11").saying("owns")), 1);
    EXPECT_EQ(process.count(Signal("lost", 1).saying("owns")), 0);
    EXPECT_FALSE(process.wait_for(Signal("lost", 2), Deadline::in(50ms)));
}

TEST(Process, ThatEndsIsNotWaitedForAnyMore) {
    Process process(shell("echo lost > $OUTBOX_FAULT_SIGNALS"));
    EXPECT_FALSE(process.wait_for(Signal("found"), Deadline::in(10s)));
    EXPECT_TRUE(process.wait_for(Signal("lost"), Deadline::in(10s)));
}

TEST(Process, EndsWithItsObject) {
    pid_t id = 0;
    {
        const Process process(shell("exec sleep 60"));
        id = process.id();
    }
    EXPECT_EQ(::kill(id, 0), -1);
}

TEST(Process, ThatCannotBeExecutedEndsWith127) {
    EXPECT_EQ(run({.words = {"/nonexistent/program"}, .environment = {}}).exit_code, 127);
}

TEST(Environment, NamesTheVariableThatIsMissing) {
    unsetenv("OUTBOX_NO_SUCH_VARIABLE");
    try {
        required_variable("OUTBOX_NO_SUCH_VARIABLE");
        FAIL() << "a missing variable was not noticed";
    } catch (const std::runtime_error& error) {
        EXPECT_THAT(error.what(), HasSubstr("OUTBOX_NO_SUCH_VARIABLE"));
    }
}

} // namespace
} // namespace outbox::support
