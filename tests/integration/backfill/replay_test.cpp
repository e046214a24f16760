// What is replayed, how it looks, and what stays out.
#include "fixture.hpp"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <fstream>

namespace outbox::relays {
namespace {

TEST_F(Backfill, TellsConsumersThatAnEventIsReplayed) {
    fill(1);
    const auto id = database.value("SELECT id FROM outbox_events");
    done({"-aggregate-type=user", "-topic=" + replays, "-run=audit"});
    const auto messages = read_topic(replays);
    ASSERT_EQ(messages.size(), 1U);
    const Message& message = messages[0];
    EXPECT_EQ(message.key, "user-1");
    EXPECT_EQ(message.value, R"({"n": 1})");
    EXPECT_EQ(message.headers.at("outbox-replay-id"), "audit");
    EXPECT_EQ(message.headers.at("outbox-original-id"), id);
    EXPECT_EQ(message.headers.at("ce_id"), id);
    const auto created_ms =
        database.number("SELECT (extract(epoch FROM created_at) * 1000)::bigint FROM outbox_events");
    EXPECT_GT(message.timestamp_ms, created_ms + 3'000'000) << "an hour-old timestamp";
    EXPECT_THAT(message.headers.at("ce_time"),
                StartsWith(database.value("SELECT to_char(created_at AT TIME ZONE 'UTC', "
                                          "'YYYY-MM-DD\"T\"HH24:MI:SS') FROM outbox_events")));
}

TEST_F(Backfill, KeepsTheOriginalTimestampWhenAsked) {
    fill(1);
    done({"--topic", replays, "--timestamp", "original"});
    const auto messages = read_topic(replays);
    ASSERT_EQ(messages.size(), 1U);
    EXPECT_LE(std::abs(messages[0].timestamp_ms -
                       database.number("SELECT (extract(epoch FROM created_at) * 1000)::bigint"
                                       " FROM outbox_events")),
              1);
}

TEST_F(Backfill, TakesWhatIsSelectedAndNothingElse) {
    fill(100, "user");
    fill(100, "order");
    fill(10, "user", "FAILED");
    fill(10, "user", "NEW");
    done({"--aggregate-type", "user", "--from-seq", "11", "--to-seq", "95", "--limit", "40", "--topic",
          replays});
    expect_once("aggregate_type = 'user' AND seq BETWEEN 11 AND 50");
    done({"--aggregate-type=order", "--aggregate-id=order-3", "--topic", replays});
    expect_once("(aggregate_type = 'user' AND seq BETWEEN 11 AND 50) OR aggregate_id = 'order-3'");
    done({"--status", "FAILED", "--since", "2000-01-01", "--until", "2100-01-01", "--topic", replays});
    expect_once("(aggregate_type = 'user' AND seq BETWEEN 11 AND 50) OR aggregate_id = 'order-3' OR status = "
                "'FAILED'");
    EXPECT_THAT(failed({"--until", "2000-01-01", "--topic", replays}), HasSubstr("no event matches"));
}

TEST_F(Backfill, TakesOneTypeOfEvent) {
    fill(10, "user");
    fill(10, "order");
    done({"--event-type", "order.created", "--topic", replays});
    expect_once("event_type = 'order.created'");
}

TEST_F(Backfill, TakesEventsOfATimeTheEndOfWhichIsLeftOut) {
    fill(10);
    database.query(
        "UPDATE outbox_events SET created_at = timestamptz '2026-01-01 00:00Z' + seq * interval '1 hour'");
    done({"--since", "2026-01-01 03:00Z", "--until", "2026-01-01 07:00Z", "--topic", replays});
    expect_once("seq BETWEEN 3 AND 6");
}

TEST_F(Backfill, TakesSeveralStatuses) {
    for (const char* status : {"SENT", "FAILED", "SKIPPED"}) {
        fill(5, "user", status);
    }
    done({"--status", "SKIPPED,failed", "--topic", replays});
    expect_once("status IN ('FAILED', 'SKIPPED')");
}

TEST_F(Backfill, TakesTheIdsOfAFile) {
    fill(50);
    const std::string path = testing::TempDir() + database.name() + ".ids";
    std::ofstream file(path);
    for (const auto& row : database.query("SELECT id FROM outbox_events WHERE seq IN (3, 7, 44)")) {
        file << row[0] << "\n\n";
    }
    file << "00000000-0000-4000-8000-000000000001\n";
    file.close();
    const auto unknown = "1 of the ids name no event: 00000000-0000-4000-8000-000000000001";
    EXPECT_THAT(failed({"--ids", path, "--topic", replays}),
                AllOf(HasSubstr(unknown), HasSubstr("nothing was sent"), HasSubstr("--allow-left-out")));
    EXPECT_EQ(backfill({"--ids", path, "--dry-run"}).exit_code, 1);
    const auto outcome = backfill({"--ids", path, "--topic", replays, "--allow-left-out"});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_THAT(outcome.output, HasSubstr("3 events published"));
    EXPECT_THAT(outcome.errors, HasSubstr(unknown));
    expect_once("seq IN (3, 7, 44)");
    std::remove(path.c_str());
}

TEST_F(Backfill, ReplaysIntoTheOriginalTopicOnlyWithYes) {
    fill(10);
    EXPECT_THAT(failed({"--aggregate-type", "user"}, 2), HasSubstr("--yes"));
    EXPECT_THAT(failed({"--topic", topic}, 2), HasSubstr("10 of the events come from topic"));
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_backfills"), 0);
    done({"--aggregate-type", "user", "--yes"});
    EXPECT_EQ(read_topic(topic).size(), 10U);
}

TEST_F(Backfill, ADryRunCountsAndChangesNothing) {
    fill(30, "user");
    fill(12, "order");
    const auto text = done({"-dry-run", "-aggregate-type=user"});
    EXPECT_THAT(text, AllOf(HasSubstr("30 events would be replayed"), HasSubstr("30  user.created"),
                            HasSubstr("30  " + topic), HasSubstr("by day"), HasSubstr("first  1  "),
                            HasSubstr("last   30  "), HasSubstr("events/s")));
    EXPECT_THAT(text, testing::Not(HasSubstr("order")));
    EXPECT_THAT(done({"--dry-run", "--topic", replays, "--limit", "5"}),
                HasSubstr("5 events would be replayed"));
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_backfills"), 0);
    EXPECT_NO_THROW(create_topic(replays, 1)) << "it is there already";
}

TEST_F(Backfill, WaitsForWritersThatBeganBeforeAndTakesNothingThatIsDoneLater) {
    fill(1'000);
    fill(1'000, "user", "NEW"); // behind, and in the middle of the range
    fill(1'000);
    auto writer = database.connect();
    script(
        writer,
        "BEGIN; UPDATE outbox_events SET status = 'SENT', processed_at = clock_timestamp() - interval '1 s'"
        " WHERE seq = 1500");
    Process run = start({"--topic", replays, "--rate", "1000"});
    stay_quiet(500ms);
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_backfills"), 0)
        << "it did not wait for the writer";
    script(writer, "COMMIT");
    ASSERT_TRUE(
        wait_until([&] { return database.number("SELECT count(*) FROM outbox_backfills") == 1; }, 60s));
    script(writer,
           "UPDATE outbox_events SET status = 'SENT', processed_at = clock_timestamp() WHERE seq > 1000"
           " AND seq <= 2000 AND seq <> 1500");
    const auto outcome = run.wait(Deadline::in(60s));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    expect_once("seq <= 1000 OR seq = 1500 OR seq > 2000");
}

TEST_F(Backfill, TakesAllThatIsDoneWhateverTheClockSaid) {
    fill(100);
    database.query("UPDATE outbox_events SET processed_at = now() + interval '1 hour' WHERE seq > 50");
    database.query("UPDATE outbox_events SET processed_at = NULL WHERE seq = 7");
    EXPECT_THAT(done({"--dry-run"}), HasSubstr("100 events would be replayed"));
    EXPECT_THAT(done({"--topic", replays}), HasSubstr("100 events published"));
    expect_once();
}

TEST_F(Backfill, TakesAllThatIsDoneWhereTheNumberingBeganAnew) {
    fill(60);
    database.query("ALTER TABLE outbox_events ALTER COLUMN seq RESTART WITH 1");
    fill(30, "order"); // the same numbers once more
    EXPECT_THAT(done({"--dry-run"}), HasSubstr("90 events would be replayed"));
    EXPECT_THAT(done({"--topic", replays}), HasSubstr("90 events published"));
    EXPECT_EQ(read_topic(replays).size(), 90U);
}

TEST_F(Backfill, TheSameCommandIsNotDoneTwiceUnlessThatIsSaid) {
    fill(10);
    const Words command{"--topic", replays};
    done(command);
    EXPECT_THAT(failed(command), AllOf(HasSubstr("the same command is done: run replay-"),
                                       HasSubstr("published 10 events"), HasSubstr("--again")));
    EXPECT_EQ(read_topic(replays).size(), 10U);
    done({"--topic", replays, "--run", "second"});
    done({"--topic", replays, "--run", "second"});
    EXPECT_EQ(read_topic(replays).size(), 20U);
    done({"--topic", replays, "--again"});
    EXPECT_EQ(read_topic(replays).size(), 30U);
    EXPECT_THAT(failed({"--topic", replays, "--again", "--run", "third"}, 2), HasSubstr("--again"));
}

TEST_F(Backfill, EventsWithoutATimeAreNamedWhereATimeDecides) {
    fill(10);
    database.query("UPDATE outbox_events SET created_at = NULL WHERE seq <= 3");
    const Words command{"--topic", replays, "--since", "2000-01-01"};
    EXPECT_THAT(failed(command), HasSubstr("3 events have no created_at"));
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_backfills"), 0);
    done({"--topic", replays, "--since", "2000-01-01", "--allow-left-out"});
    expect_once("seq > 3");
}

TEST_F(Backfill, EventsThatAreDeletedMeanwhileAreCountedAndMakeItFail) {
    fill(2'000);
    Process run = start_with_fault({"--topic", replays, "--run", "one"}, "after-registration:1:stop");
    ASSERT_TRUE(wait_until([&] { return run.stopped(); }, 60s)) << run.errors();
    database.query("DELETE FROM outbox_events WHERE seq > 1500");
    run.signal(SIGCONT);
    const auto outcome = run.wait(Deadline::in(60s));
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors, HasSubstr("2000 events were counted at the start, 1500 were published"));
    EXPECT_EQ(backfill({"--topic", replays, "--run", "one"}).exit_code, 1) << "it stays so";
    done({"--topic", replays, "--run", "one", "--allow-left-out"});
    expect_once();
}

TEST_F(Backfill, NamesAnEventThatTheTopicDoesNotAccept) {
    fill(3);
    database.query(
        "UPDATE outbox_events SET event_data = jsonb_build_object('x', repeat('x', 5000)) WHERE seq = 2");
    create_topic(replays, 1, {{"max.message.bytes", "2000"}});
    EXPECT_THAT(failed({"--topic", replays}),
                AllOf(HasSubstr(database.value("SELECT id FROM outbox_events WHERE seq = 2")),
                      HasSubstr("accepts 2000 (max.message.bytes)")));
}

TEST_F(Backfill, KeepsToTheRate) {
    fill(2'000);
    const auto began = SteadyClock::now();
    done({"--topic", replays, "--rate", "1000"});
    EXPECT_GT(SteadyClock::now() - began, 1'500ms);
    expect_once();
}

TEST_F(Backfill, DrawsABarOnATerminalAndPrintsLinesElsewhere) {
    fill(500);
    const std::string command = support::program("outbox-backfill") + " --topic " + replays;
    const auto drawn = support::run(
        {{"sh", "-c", "script -qec '" + command + "' /dev/null </dev/null"}, environment()}, 120s);
    EXPECT_EQ(drawn.exit_code, 0) << drawn.output;
    EXPECT_THAT(drawn.output, AllOf(HasSubstr("\r\x1b[K[####################] 500 of 500 events (100 %), "),
                                    HasSubstr("\r\nrun "), testing::Not(HasSubstr("outbox-backfill: "))));
    const auto printed = backfill({"--topic", replays, "--run", "plain"});
    EXPECT_EQ(printed.exit_code, 0);
    EXPECT_THAT(printed.errors, AllOf(HasSubstr("outbox-backfill: plain: 500 of 500 events (100 %), "),
                                      testing::Not(HasSubstr("\x1b")), testing::Not(HasSubstr("\r"))));
}

TEST_F(Backfill, PausesWhileTheRelayIsBehind) {
    fill(4'000);
    Process relay = ready_relay({{"RELAY_LEASE", "60"}});
    relay.signal(SIGSTOP);
    insert({.key = "late"});
    Process run = start({"--topic", replays, "--rate", "1000", "--max-lag", "0.5"});
    ASSERT_TRUE(run.wait_for_text("paused: the relay is", Deadline::in(60s))) << run.errors();
    const auto published = [&] { return database.number("SELECT max(published) FROM outbox_backfills"); };
    stay_quiet(1'500ms); // what was under way is noted
    const auto before = published();
    stay_quiet(1'500ms);
    EXPECT_EQ(published(), before);
    EXPECT_LT(before, 4'000);
    relay.signal(SIGCONT);
    const auto outcome = run.wait(Deadline::in(60s));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_THAT(outcome.errors, HasSubstr("goes on"));
    expect_once("aggregate_id <> 'late'");
}

} // namespace
} // namespace outbox::relays
