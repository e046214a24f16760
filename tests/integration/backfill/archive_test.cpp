// --archive: events that were moved out of the outbox, also while they are.
#include "fixture.hpp"

#include <fmt/format.h>

namespace outbox::relays {
namespace {

class BackfillArchive : public Backfill {
protected:
    /// A table of the published columns and seq, and a list of all events, wherever they are.
    void make_archive() {
        database.query(
            "CREATE TABLE retired AS SELECT seq, id, aggregate_type, aggregate_id, event_type, event_data,"
            " status, topic, partition_key, created_at, processed_at FROM outbox_events LIMIT 0");
        database.query("CREATE INDEX ON retired (seq)");
        database.query("CREATE TABLE all_events AS SELECT id, seq FROM outbox_events");
    }
    void move(const std::string& where) { database.query(moving(where)); }
    static std::string moving(const std::string& where) {
        return "WITH gone AS (DELETE FROM outbox_events WHERE " + where + " RETURNING *) " +
               inserting("gone");
    }
    static std::string inserting(const std::string& from) {
        return "INSERT INTO retired SELECT seq, id, aggregate_type, aggregate_id, event_type, event_data, "
               "status, topic,"
               " partition_key, created_at, processed_at FROM " +
               from;
    }

    const Words command{"--topic", replays, "--archive", "retired"};
};

TEST_F(BackfillArchive, IsReplayedTogetherWithTheOutbox) {
    fill(300);
    fill(30, "user", "FAILED");
    make_archive();
    move("seq % 3 = 0 OR seq > 250");
    EXPECT_THAT(
        done({"--dry-run", "--archive", "retired"}),
        AllOf(HasSubstr("300 events would be replayed"), HasSubstr("first  1  "), HasSubstr("last   300  ")));
    EXPECT_THAT(done({"--dry-run"}), HasSubstr("167 events would be replayed"));
    EXPECT_THAT(done(command), HasSubstr("300 events published"));
    expect_once("seq <= 300", "all_events");
}

TEST_F(BackfillArchive, MayHoldAllOfTheEventsAndTheirHeaders) {
    fill(100);
    database.query("UPDATE outbox_events SET headers = '{\"tenant\": \"seven\"}'");
    make_archive();
    database.query("CREATE TABLE retired_wholly (LIKE outbox_events INCLUDING ALL EXCLUDING IDENTITY)");
    database.query(
        "INSERT INTO retired_wholly (seq, id, aggregate_type, aggregate_id, event_type, event_data, status,"
        " topic, created_at, processed_at, headers) SELECT seq + 1000000, id, aggregate_type, aggregate_id,"
        " event_type, event_data, status, topic, created_at, processed_at, headers FROM outbox_events");
    database.query("DELETE FROM outbox_events");
    done({"--topic", replays, "--archive", "public.retired_wholly"});
    expect_once("true", "all_events");
    const auto messages = read_topic(replays);
    ASSERT_EQ(messages.size(), 100U);
    EXPECT_EQ(messages[0].headers.at("tenant"), "seven");
}

TEST_F(BackfillArchive, MayHaveTheNumbersOfOtherEvents) {
    fill(1'000);
    make_archive();
    move("true");
    database.query("ALTER TABLE outbox_events ALTER COLUMN seq RESTART WITH 1");
    fill(1'000, "order");
    EXPECT_THAT(done({"--dry-run", "--archive", "retired"}), HasSubstr("2000 events would be replayed"));
    EXPECT_THAT(done(command), HasSubstr("2000 events published"));
    EXPECT_EQ(read_topic(replays).size(), 2'000U);
}

TEST_F(BackfillArchive, MayHoldEventsThatTheOutboxHasUnderOtherNumbers) {
    fill(20);
    make_archive();
    database.query(inserting("outbox_events"));
    database.query("UPDATE retired SET seq = seq + 1000 WHERE seq <= 5");
    const auto outcome = backfill(command);
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_THAT(outcome.output, HasSubstr("20 events published"));
    expect_once();
}

TEST_F(BackfillArchive, ThatHoldsAnEventUnderSeveralNumbersIsRefused) {
    fill(20);
    make_archive();
    move("true");
    const auto id = database.value("SELECT id FROM retired WHERE seq = 7");
    database.query("INSERT INTO retired SELECT seq + 100, id, aggregate_type, aggregate_id, event_type, "
                   "event_data, status, topic, partition_key, created_at, processed_at FROM retired"
                   " WHERE seq = 7");
    const auto says =
        AllOf(HasSubstr("--archive=retired holds 1 events under several numbers each, such as " + id),
              HasSubstr("delete all but one row of each"));
    EXPECT_THAT(failed(command), says);
    EXPECT_THAT(failed({"--dry-run", "--archive", "retired"}), says);
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_backfills"), 0);
    EXPECT_THAT(done({"--topic", replays, "--archive", "retired", "--to-seq", "20"}),
                HasSubstr("20 events published"));
    database.query("DELETE FROM retired WHERE seq = 107");
    EXPECT_THAT(done(command), HasSubstr("20 events published"));
}

TEST_F(BackfillArchive, TakesEachEventOnceWhileEventsAreMovedThere) {
    fill(12'000);
    make_archive();
    Words slowly = command;
    slowly.insert(slowly.end(), {"--rate", "3000"});
    Process run = start(slowly);
    ASSERT_TRUE(wait_until(
        [&] { return database.number("SELECT coalesce(max(published), 0) FROM outbox_backfills") > 0; }, 60s))
        << run.errors();
    for (int i = 0; i < 40; ++i) { // all over what is read, and what is not yet
        const std::string these = fmt::format("seq % 40 = {}", i);
        if (i % 2 == 0) {
            move(these);
        } else {
            database.query(inserting("outbox_events WHERE " + these));
            stay_quiet(50ms); // in both places
            database.query("DELETE FROM outbox_events WHERE " + these);
        }
        if (i == 10) {
            run.kill();
            run = start(slowly);
        }
    }
    const auto outcome = run.wait(Deadline::in(120s));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    expect_once("true", "all_events");
}

TEST_F(BackfillArchive, ThatIsNoneIsNamedInOneLine) {
    fill(1);
    database.query("CREATE TABLE strange (id uuid)");
    EXPECT_THAT(failed({"--topic", replays, "--archive", "nowhere"}, 2),
                HasSubstr("--archive=nowhere: there is no such table"));
    EXPECT_THAT(failed({"--dry-run", "--archive", "strange"}, 2),
                AllOf(HasSubstr("--archive=strange cannot be read as a table of events"),
                      HasSubstr("seq does not exist")));
    EXPECT_THAT(failed({"--topic", replays, "--archive", "outbox_events"}, 2),
                HasSubstr("the outbox itself"));
    EXPECT_THAT(failed({"--topic", replays, "--archive", "a b c"}, 2), HasSubstr("--archive=a b c"));
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_backfills"), 0);
}

} // namespace
} // namespace outbox::relays
