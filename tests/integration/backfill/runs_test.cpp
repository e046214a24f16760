// The register of runs: list, show, cancel, and who may go on with what.
#include "fixture.hpp"

#include <csignal>

namespace outbox::relays {
namespace {

using BackfillRuns = Backfill;

TEST_F(BackfillRuns, AreListedAndShownAsKafkaKnowsThem) {
    fill(500);
    done({"--topic", replays, "--run", "first", "--limit", "200"});
    EXPECT_THAT(done({"list"}), AllOf(HasSubstr("first"), HasSubstr("done"), HasSubstr("--limit=200")));
    EXPECT_THAT(done({"show", "first"}),
                AllOf(HasSubstr("published  200 of 200 events"), HasSubstr("state      done")));
    EXPECT_THAT(failed({"show", "second"}), HasSubstr("there is no run second"));
    EXPECT_THAT(failed({"cancel", "first"}), HasSubstr("is done"));
}

TEST_F(BackfillRuns, OfTheSameNameWithAnotherSelectionAreRefused) {
    fill(50);
    done({"--topic", replays, "--run", "one"});
    EXPECT_THAT(failed({"--topic", replays, "--run", "one", "--limit", "3"}, 2),
                HasSubstr("run one is about"));
    EXPECT_THAT(failed({"--topic", topic, "--yes", "--run", "one"}, 2), HasSubstr("run one is about"));
    expect_once();
}

TEST_F(BackfillRuns, AreHeldByOneProcessAndEndWhenCancelled) {
    fill(20'000);
    const Words command{"--topic", replays, "--run", "slow", "--rate", "500"};
    Process run = start(command);
    ASSERT_TRUE(wait_until(
        [&] { return database.number("SELECT coalesce(max(published), 0) FROM outbox_backfills") > 0; }, 60s))
        << run.errors();
    EXPECT_THAT(failed(command), HasSubstr("under way in another process"));
    EXPECT_THAT(done({"list"}), HasSubstr("running"));
    EXPECT_THAT(done({"show", "slow"}), HasSubstr("running"));
    done({"cancel", "slow"});
    const auto outcome = run.wait(Deadline::in(30s));
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors, HasSubstr("run slow is cancelled"));
    EXPECT_THAT(failed(command), HasSubstr("run slow is cancelled"));
    EXPECT_THAT(done({"list"}), HasSubstr("cancelled"));
    EXPECT_EQ(static_cast<std::int64_t>(read_topic(replays).size()),
              database.number("SELECT published FROM outbox_backfills"));
}

TEST_F(BackfillRuns, ThatAreStartedTwiceWhileTheirEventsAreCountedAreOneRun) {
    fill(100);
    const Words command{"--topic", replays};
    Process run = start_with_fault(command, "before-registration:1:stop");
    ASSERT_TRUE(wait_until([&] { return run.stopped(); }, 60s)) << run.errors();
    EXPECT_THAT(failed(command), HasSubstr("another process is counting the events of the same run"));
    run.signal(SIGCONT);
    EXPECT_EQ(run.wait(Deadline::in(60s)).exit_code, 0) << run.errors();
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_backfills"), 1);
    expect_once();
}

TEST_F(BackfillRuns, GoOnOnlyWhileTheControlTopicKnowsThem) {
    fill(20'000);
    const Words command{"--topic", replays, "--run", "slow", "--rate", "4000"};
    Process run = start(command);
    ASSERT_TRUE(wait_until(
        [&] { return database.number("SELECT coalesce(max(published), 0) FROM outbox_backfills") > 0; }, 60s))
        << run.errors();
    run.kill();
    delete_topic("outbox." + database.name() + ".backfill");
    create_topic("outbox." + database.name() + ".backfill", 16, {{"cleanup.policy", "compact"}});
    EXPECT_THAT(failed(command), HasSubstr("run slow cannot go on"));
}

TEST_F(BackfillRuns, ReadFromAnotherHostWhenAsked) {
    fill(100);
    const auto options = database.options();
    done({"--topic", replays, "--read-host", options.host + ":" + options.port});
    expect_once();
    EXPECT_THAT(failed({"--topic", replays, "--read-host", "127.0.0.1:1"}), HasSubstr("127.0.0.1:1"));
}

} // namespace
} // namespace outbox::relays
