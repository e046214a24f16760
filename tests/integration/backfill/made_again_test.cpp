// A topic that is deleted and made again under a run: Kafka commits what is left of a transaction, and what
// the run had published is gone with the topic.
#include "fixture.hpp"

#include <outbox/kafka/transactions.hpp>
#include <outbox/support/environment.hpp>

#include <fmt/format.h>

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

/// What `kafka-transactions.sh abort` does to the open transactions of the run.
TEST_F(BackfillMadeAgain, NotTheTopicButAMarkerThatSomebodyWroteByHandIsNoticedBeforeTheCommit) {
    Process run = start_with_fault(command, "before-first-commit:1:stop");
    ASSERT_TRUE(wait_until([&] { return run.stopped(); }, 60s)) << run.errors();
    const kafka::ClientOptions client{support::required_variable("KAFKA_BROKERS"), "test"};
    const kafka::Admin admin(client);
    const kafka::Transactions transactions(admin, client);
    std::vector<std::int64_t> producers;
    for (int lane = 0; lane < database.number("SELECT lanes FROM outbox_backfills"); ++lane) {
        for (const int turn : {0, 1}) {
            const auto id = fmt::format("outbox.{}.backfill.one.{}-{}", database.name(), lane, turn);
            producers.push_back(transactions.describe(id, Deadline::in(10s)).producer_id);
        }
    }
    const std::vector<kafka::Partition> where{{replays, kafka::Partition::every}};
    const auto open = transactions.open(where, producers, Deadline::in(10s));
    ASSERT_FALSE(open.found.empty());
    for (const auto& each : open.found) {
        transactions.write_marker(each, false, Deadline::in(10s));
    }
    stay_quiet(1s); // shorter ones nobody meets by hand
    run.signal(SIGCONT);
    const auto outcome = run.wait(Deadline::in(90s));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_THAT(outcome.errors, HasSubstr("somebody wrote a marker into the open transaction in " + replays));
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
