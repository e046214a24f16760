// kill -9 of a run at named points and at random ones; the same command again goes on.
#include "fixture.hpp"

#include <csignal>
#include <random>

namespace outbox::relays {
namespace {

class BackfillCrashAt : public Backfill, public testing::WithParamInterface<const char*> {};

TEST_P(BackfillCrashAt, TheSameCommandGoesOnAndNeitherLosesNorRepeats) {
    fill(20'000);
    const Words command{"--topic", replays, "--run", "again"};
    Process doomed = start_with_fault(command, GetParam());
    const auto outcome = doomed.wait(Deadline::in(60s));
    ASSERT_EQ(outcome.signal, SIGKILL) << "the point was never passed: " << outcome.errors;
    EXPECT_THAT(done(command), HasSubstr("run again is done: 20000 events published"));
    expect_once();
    EXPECT_THAT(done(command), HasSubstr("run again is done: 20000 events published"));
    expect_once();
}

INSTANTIATE_TEST_SUITE_P(NamedPoints, BackfillCrashAt,
                         testing::Values("after-registration", "after-init", "before-produce:1",
                                         "before-produce:7", "before-commit:1", "before-commit:6",
                                         "after-commit:1", "after-commit:9", "before-finish"),
                         [](const auto& point) {
                             std::string name = point.param;
                             std::replace(name.begin(), name.end(), '-', '_');
                             std::replace(name.begin(), name.end(), ':', '_');
                             return name;
                         });

TEST_F(Backfill, UnderRandomKillsPublishesEachEventOnce) {
    fill(30'000);
    const Words command{"--topic", replays, "--rate", "8000"}; // without a name: that is found again as well
    std::mt19937 random(std::random_device{}());
    int kills = 0;
    std::optional<support::Outcome> end;
    bool finished = false; // though it may be killed before it says so; the same command would begin anew
    for (const Deadline deadline = Deadline::in(120s); !end && !finished && !deadline.passed();) {
        Process run = start(command);
        // A little later each time, so that a slow machine gets to the end as well.
        const milliseconds life = milliseconds(300 + random() % 2'000) + kills * milliseconds(200);
        if (run.wait_for_text("is done", Deadline::in(life)) || !run.running()) {
            end = run.wait(Deadline::in(30s));
        } else {
            run.kill();
            ++kills;
            finished =
                database.number("SELECT count(*) FROM outbox_backfills WHERE finished_at IS NOT NULL") == 1;
        }
    }
    ASSERT_TRUE(end || finished);
    if (end) {
        EXPECT_EQ(end->exit_code, 0) << end->errors;
    }
    EXPECT_GE(kills, 2);
    expect_once();
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_backfills"), 1);
}

TEST_F(Backfill, StoppedInOrderSaysSoAndGoesOn) {
    fill(20'000);
    const Words command{"--topic", replays, "--rate", "4000"};
    Process run = start(command);
    ASSERT_TRUE(wait_until(
        [&] { return database.number("SELECT coalesce(max(published), 0) FROM outbox_backfills") > 0; }, 60s))
        << run.errors();
    const auto outcome = stop(run);
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors, HasSubstr("the same command goes on"));
    done({"--topic", replays});
    expect_once();
}

} // namespace
} // namespace outbox::relays
