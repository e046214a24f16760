// A topic that is deleted and made again under a run: Kafka commits what is left of a transaction, and what
// the run had published is gone with the topic.
#include "fixture.hpp"

#include <csignal>

namespace outbox::relays {
namespace {

class BackfillMadeAgain : public Backfill {
protected:
    const Words command{"--topic", replays, "--run", "one"};

    void SetUp() override {
        create_topic(replays, 2);
        fill(400);
    }

    void make_again() {
        delete_topic(replays);
        create_topic(replays, 2);
    }

    support::Outcome run_that_stands(const std::string& point) {
        Process run = start_with_fault(command, point + ":1:stop");
        EXPECT_TRUE(wait_until([&] { return run.stopped(); }, 60s)) << run.errors();
        make_again();
        stay_quiet(200ms); // what the run knows is old by then
        run.signal(SIGCONT);
        return run.wait(Deadline::in(90s));
    }

    void expect_refused(const support::Outcome& outcome) {
        EXPECT_EQ(outcome.exit_code, 1) << outcome.errors;
        EXPECT_THAT(outcome.errors,
                    AllOf(HasSubstr("run one cannot go on: topic " + replays),
                          HasSubstr("deleted and made again"), HasSubstr("outbox-backfill cancel one")));
    }
};

TEST_F(BackfillMadeAgain, BeforeTheFirstCommitAllIsSentToTheNewOne) {
    const auto outcome = run_that_stands("before-first-commit");
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_THAT(outcome.errors, HasSubstr("topic " + replays + " was deleted, or deleted and made again"));
    expect_once();
}

TEST_F(BackfillMadeAgain, WithinTheCommitTheRunEndsAndSaysWhatToType) {
    expect_refused(run_that_stands("before-first-end"));
    done({"cancel", "one"});
    done({"--topic", replays, "--run", "two"});
    EXPECT_EQ(database.number("SELECT published FROM outbox_backfills WHERE run = 'two'"), 400);
}

TEST_F(BackfillMadeAgain, BetweenTwoAttemptsTheRunDoesNotGoOn) {
    Process doomed = start_with_fault(command, "after-first-commit:1");
    ASSERT_EQ(doomed.wait(Deadline::in(60s)).signal, SIGKILL);
    make_again();
    expect_refused(backfill(command));
    expect_refused(backfill(command));
    EXPECT_EQ(read_topic(replays).size(), 0U) << "nothing of it goes to the new one";
}

} // namespace
} // namespace outbox::relays
