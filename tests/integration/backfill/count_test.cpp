// What is counted before a replay begins, on a table that was filled faster than VACUUM comes by.
#include "fixture.hpp"

#include <algorithm>
#include <csignal>

namespace outbox::relays {
namespace {

class BackfillCount : public Backfill {
protected:
    /// Ranges of pages that the index on seq knew nothing of until now.
    std::int64_t unknown_ranges() {
        return database.number("SELECT brin_summarize_new_values('outbox_events_seq')");
    }
    /// By sessions that have ended.
    std::int64_t scans_of_the_whole_table() {
        EXPECT_TRUE(wait_until([&] {
            return database.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                                   " AND application_name LIKE 'outbox-backfill%'") == 0;
        }));
        return database.number("SELECT pg_stat_get_numscans('outbox_events'::regclass)");
    }
    std::int64_t longest_wait_for_a_lock_ms() {
        return database.number(
            "SELECT coalesce(max(extract(epoch FROM clock_timestamp() - query_start) * 1000), 0)::bigint FROM"
            " pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            " AND application_name LIKE 'outbox-backfill%'");
    }
};

TEST_F(BackfillCount, HasTheIndexLookAtPagesThatNoVacuumHasSeen) {
    fill(20'000);
    done({"--dry-run"});
    EXPECT_EQ(unknown_ranges(), 0) << "a dry run";
    fill(20'000);
    done({"--topic", replays});
    EXPECT_EQ(unknown_ranges(), 0) << "a replay";
    expect_once();
}

TEST_F(BackfillCount, HasTheIndexLookAgainWhenARunGoesOn) {
    fill(20'000);
    const Words command{"--topic", replays};
    auto interrupted = start_with_fault(command, "after-registration");
    EXPECT_EQ(interrupted.wait(Deadline::in(60s)).signal, SIGKILL);
    fill(20'000, "order");
    EXPECT_THAT(done(command), HasSubstr("goes on, 20000 events"));
    EXPECT_EQ(unknown_ranges(), 0);
    expect_once("aggregate_type = 'user'");
}

TEST_F(BackfillCount, NeverReadsTheWholeTable) {
    database.query("ALTER TABLE outbox_events SET (autovacuum_enabled = off)"); // nor is it analysed
    fill(20'000);
    done({"--dry-run"}); // the index looks at each page once, which counts as well
    const auto before = scans_of_the_whole_table();
    done({"--dry-run"});
    done({"--topic", replays});
    EXPECT_EQ(scans_of_the_whole_table(), before);
    expect_once();
}

TEST_F(BackfillCount, GivesWayToAVacuum) {
    fill(20'000);
    auto vacuum = database.connect(); // as its lock
    script(vacuum, "BEGIN; LOCK TABLE outbox_events IN SHARE UPDATE EXCLUSIVE MODE");
    Process run = start({"--topic", replays});
    std::int64_t longest_ms = 0;
    ASSERT_TRUE(wait_until(
        [&] {
            longest_ms = std::max(longest_ms, longest_wait_for_a_lock_ms());
            return run.errors().find("waiting for a VACUUM") != std::string::npos;
        },
        60s))
        << run.errors();
    EXPECT_LT(longest_ms, 900)
        << "at deadlock_timeout, a second, PostgreSQL cancels an autovacuum that is in the way";
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_backfills"), 0);
    script(vacuum, "COMMIT");
    const auto outcome = run.wait(Deadline::in(60s));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_EQ(unknown_ranges(), 0);
    expect_once();
}

TEST_F(BackfillCount, SaysHowFarItIs) {
    fill(20'000);
    const std::string command = support::program("outbox-backfill") + " --dry-run";
    const auto drawn = support::run(
        {{"sh", "-c", "script -qec '" + command + "' /dev/null </dev/null"}, environment()}, 120s);
    EXPECT_EQ(drawn.exit_code, 0) << drawn.output;
    EXPECT_THAT(drawn.output, AllOf(HasSubstr("\r\x1b[Klooking where events lie, 100 %"),
                                    HasSubstr("\r\x1b[Kcounting, 5000 events so far"),
                                    HasSubstr("\r\n20000 events would be replayed")));
}

TEST_F(BackfillCount, StopsWhenAsked) {
    fill(100);
    auto vacuum = database.connect();
    script(vacuum, "BEGIN; LOCK TABLE outbox_events IN SHARE UPDATE EXCLUSIVE MODE");
    Process run = start({"--topic", replays});
    ASSERT_TRUE(run.wait_for_text("waiting for a VACUUM", Deadline::in(60s))) << run.errors();
    run.signal(SIGTERM);
    const auto outcome = run.wait(Deadline::in(30s));
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors, HasSubstr("stopped while counting; nothing was changed"));
    script(vacuum, "COMMIT");
}

} // namespace
} // namespace outbox::relays
