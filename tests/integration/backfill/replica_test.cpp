// --read-host on a streaming replica; the servers are this program's own.
#include "fixture.hpp"

#include <outbox/support/environment.hpp>
#include <outbox/support/replicated_postgres.hpp>

#include <fmt/format.h>

#include <memory>

namespace outbox::relays {
namespace {

std::unique_ptr<support::ReplicatedPostgres> servers;
postgres::ConnectOptions other_server; ///< that of the other tests

class Servers : public testing::Environment {
public:
    void SetUp() override {
        other_server = support::server_options("postgres");
        servers = std::make_unique<support::ReplicatedPostgres>();
    }
    void TearDown() override { servers.reset(); }
};

const auto* const environment = testing::AddGlobalTestEnvironment(new Servers); // owned by gtest

class BackfillReplica : public Backfill {
protected:
    BackfillReplica() { servers->wait_replayed(); }

    void fill_both(int events) {
        fill(events);
        servers->wait_replayed();
    }
    /// Asked again where the replica ends the session for the primary's sake.
    std::string on_replica(const std::string& sql) const {
        std::string answer;
        EXPECT_TRUE(wait_until([&] {
            try {
                auto session = servers->on_replica(database.name());
                answer = session.query(sql, {}, Deadline::in(30s)).text(0, 0);
                return true;
            } catch (const Error& error) {
                if (std::string(error.what()).find("conflict with recovery") == std::string::npos) {
                    throw;
                }
                return false;
            }
        }));
        return answer;
    }
    void follow(const std::string& primary) const {
        auto session = servers->on_replica(database.name());
        std::string quoted = primary;
        for (std::size_t at = 0; (at = quoted.find('\'', at)) != std::string::npos; at += 2) {
            quoted.insert(at, 1, '\'');
        }
        script(session, "ALTER SYSTEM SET primary_conninfo = '" + quoted + "'");
        script(session, "SELECT pg_reload_conf()");
    }
    std::int64_t published() {
        return database.number("SELECT coalesce(max(published), 0) FROM outbox_backfills");
    }
    bool wait_published(std::int64_t events) {
        return wait_until([&] { return published() >= events; }, 60s);
    }

    /// Slowly, so that there is time to do something to the servers.
    Process start_and_publish(const Words& more = {}) {
        Words words = command;
        words.insert(words.end(), {"--rate", "300"});
        words.insert(words.end(), more.begin(), more.end());
        Process run = start(words);
        EXPECT_TRUE(wait_published(1)) << run.errors();
        return run;
    }
    /// The same command goes on, as fast as it can.
    void finish(Process& run, const Words& more = {}) {
        const auto outcome = stop(run);
        EXPECT_EQ(outcome.exit_code, 1) << outcome.errors;
        Words words = command;
        words.insert(words.end(), more.begin(), more.end());
        EXPECT_THAT(done(words), HasSubstr("goes on"));
    }

    const Words command{"--topic", replays, "--read-host", servers->replica()};
};

TEST_F(BackfillReplica, ReadsEventsThereAndKeepsItsPlaceOnThePrimary) {
    fill_both(6'000);
    const Words patient{"--max-lag", "600"};
    Process run = start_and_publish(patient);
    on_replica("SELECT pg_wal_replay_pause()::text");
    const auto then = published();
    database.query("DELETE FROM outbox_events");
    finish(run, patient);
    EXPECT_EQ(published(), 6'000);
    EXPECT_LE(std::stoll(on_replica("SELECT max(published)::text FROM outbox_backfills")), then);
    EXPECT_EQ(read_topic(replays).size(), 6'000U);
    on_replica("SELECT pg_wal_replay_resume()::text");
}

TEST_F(BackfillReplica, PausesWhileTheReplicaIsBehind) {
    fill_both(6'000);
    Process run = start_and_publish({"--max-lag", "1.5"});
    on_replica("SELECT pg_wal_replay_pause()::text");
    EXPECT_TRUE(run.wait_for_text("paused: ", Deadline::in(60s))) << run.errors();
    stay_quiet(1'500ms); // what was under way is noted
    const auto before = published();
    stay_quiet(1'500ms);
    EXPECT_EQ(published(), before);
    EXPECT_LT(before, 6'000);
    on_replica("SELECT pg_wal_replay_resume()::text");
    EXPECT_TRUE(run.wait_for_text("goes on", Deadline::in(60s))) << run.errors();
    finish(run);
    expect_once();
}

TEST_F(BackfillReplica, PausesWhileTheReplicaIsCutOffFromThePrimary) {
    fill_both(6'000);
    Process run = start_and_publish({"--max-lag", "1.5"});
    const auto primary = on_replica("SHOW primary_conninfo");
    follow("host=127.0.0.1 port=1");
    EXPECT_TRUE(run.wait_for_text("paused: the replica is", Deadline::in(60s))) << run.errors();
    follow(primary);
    EXPECT_TRUE(run.wait_for_text("goes on", Deadline::in(60s))) << run.errors();
    finish(run);
    expect_once();
}

TEST_F(BackfillReplica, ThatIsBehindHoldsUpARunThatReadsThePrimary) {
    fill_both(6'000);
    Process run = start({"--topic", replays, "--rate", "300", "--max-lag", "1.5"});
    ASSERT_TRUE(wait_published(1)) << run.errors();
    on_replica("SELECT pg_wal_replay_pause()::text");
    EXPECT_TRUE(run.wait_for_text("paused: replication is", Deadline::in(60s))) << run.errors();
    on_replica("SELECT pg_wal_replay_resume()::text");
    EXPECT_TRUE(run.wait_for_text("goes on", Deadline::in(60s))) << run.errors();
    finish(run);
    expect_once();
}

TEST_F(BackfillReplica, GoneInMidRunEndsItAndTheSameCommandGoesOn) {
    fill_both(6'000);
    Process run = start_and_publish();
    servers->stop_replica();
    const auto outcome = run.wait(Deadline::in(120s));
    servers->start_replica();
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors,
                AllOf(HasSubstr("is interrupted at"), HasSubstr("of 6000 events: "),
                      HasSubstr(servers->replica()), HasSubstr("the same command goes on\n")));
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_backfills WHERE finished_at IS NULL"), 1);
    EXPECT_THAT(done(command), HasSubstr("goes on"));
    expect_once();
}

TEST_F(BackfillReplica, AsksAgainWhatTheReplicaEndedForTheSakeOfThePrimary) {
    fill_both(20'000);
    auto session = database.connect();
    const auto disturb = [&](Process program) { // each round takes away what a snapshot there may still see
        const auto ended = [&] {
            return std::stoll(on_replica("SELECT confl_snapshot::text FROM pg_stat_database_conflicts"
                                         " WHERE datname = current_database()"));
        };
        for (const auto before = ended(); program.running() && ended() < before + 3;) {
            for (int i = 0; i < 10; ++i) {
                script(session, "UPDATE outbox_meta SET outbox_id = outbox_id");
                script(session, "VACUUM outbox_meta");
            }
        }
        const bool met = program.running() || ended() > 0;
        const auto outcome = program.wait(Deadline::in(120s));
        EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
        return met;
    };
    EXPECT_TRUE(wait_until([&] { return disturb(start({"--dry-run", "--read-host", servers->replica()})); }));
    EXPECT_TRUE(disturb(start(command)));
    expect_once();
}

TEST_F(BackfillReplica, IsNoOtherServer) {
    fill_both(10);
    const auto here = database.name();
    auto other = postgres::Connection::open(other_server, Deadline::in(30s));
    script(other, "CREATE DATABASE " + here);
    const auto elsewhere = other_server.host + ":" + other_server.port;
    EXPECT_THAT(failed({"--topic", replays, "--read-host", elsewhere}), HasSubstr("is no replica of"));
    EXPECT_THAT(failed({"--dry-run", "--read-host", elsewhere}), HasSubstr("is no replica of"));
    script(other, "DROP DATABASE " + here);
}

/// The last one, for the replica is none afterwards.
TEST_F(BackfillReplica, IsNoneOnceItIsPromoted) {
    fill_both(10);
    on_replica("SELECT pg_promote()::text");
    EXPECT_THAT(failed({"--topic", replays, "--read-host", servers->replica()}),
                HasSubstr("is no replica of"));
}

} // namespace
} // namespace outbox::relays
