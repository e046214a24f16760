// What may change in the database under relays and writers: they go on by themselves, and nothing is lost,
// repeated or overtaken.

#include <outbox/support/relays.hpp>
#include <outbox/support/role.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

namespace outbox::relays {
namespace {

using testing::HasSubstr;

/// Writes events of a few keys, one a transaction, and tries each until it is committed.
class Writer {
public:
    Writer(postgres::ConnectOptions options, std::string topic)
        : options_(std::move(options)),
          topic_(std::move(topic)),
          thread_([this](const std::stop_token& stop) { run(stop); }) {}

    [[nodiscard]] int committed() const { return committed_; }
    /// Until so many more are committed.
    [[nodiscard]] bool wait_for(int more) const {
        const int wanted = committed_ + more;
        return wait_until([&] { return committed_ >= wanted; }, 60s);
    }
    /// Tries the open one to its end, and ends.
    void finish() {
        thread_.request_stop();
        thread_.join();
    }

private:
    void run(const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            const auto id = Uuid::random().to_string();
            while (!try_to_write(id)) {
                stay_quiet(20ms);
            }
            ++committed_;
            stay_quiet(3ms);
        }
    }
    bool try_to_write(const std::string& id) {
        try {
            if (!session_ || !session_->usable()) {
                session_.emplace(postgres::Connection::open(options_, Deadline::in(5s)));
            }
            session_->query("INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, "
                            "event_data, topic) VALUES ($1, 'user', $2, 'user.created', '{}', $3) "
                            "ON CONFLICT (id) DO NOTHING",
                            {id, "k" + std::to_string(committed_ % 40), topic_}, Deadline::in(30s));
            return true;
        } catch (const Error&) {
            session_.reset(); // as an application with a pool does
            return false;
        }
    }

    postgres::ConnectOptions options_;
    std::string topic_;
    std::optional<postgres::Connection> session_;
    std::atomic<int> committed_{0};
    std::jthread thread_;
};

class Live : public Relays {
protected:
    static postgres::Connection server() {
        return postgres::Connection::open(support::server_options("postgres"), Deadline::in(30s));
    }
    /// Statements one by one in a session of their own, some of which allow no transaction around them.
    void change(const std::vector<std::string>& statements) const {
        auto session = database.connect();
        for (const auto& sql : statements) {
            session.query(sql, {}, Deadline::in(60s));
        }
    }
    void expect_sent_while(const std::function<void()>& happens, const Variables& variables = {}) {
        const Process relay = ready_relay(variables);
        Writer writer(database.options(), topic);
        ASSERT_TRUE(writer.wait_for(100));
        happens();
        ASSERT_TRUE(writer.wait_for(200)) << relay.errors();
        writer.finish();
        EXPECT_TRUE(wait_until([&] { return count("status <> 'SENT'") == 0; }, 60s)) << relay.errors();
        expect_exactly_once();
        EXPECT_EQ(count("status = 'FAILED' OR retry_count > 0"), 0);
        EXPECT_EQ(count("true"), writer.committed());
        EXPECT_EQ(database.number("SELECT count(stopped) FROM outbox_shards"), 0) << relay.errors();
        if (HasFailure()) {
            fmt::print("{}", relay.errors());
        }
    }
};

struct Change {
    std::string name;
    std::vector<std::string> statements;
    // NOLINTNEXTLINE(readability-identifier-naming)
    friend void PrintTo(const Change& change, std::ostream* to) { *to << change.name; }
};

class LiveChange : public Live, public testing::WithParamInterface<Change> {};

TEST_P(LiveChange, UnderWritersIsGoneOnWith) {
    expect_sent_while([this] { change(GetParam().statements); });
}

INSTANTIATE_TEST_SUITE_P(
    OfTheTable, LiveChange,
    testing::Values(
        Change{"TypeOfAColumnThatIsRead",
               {"ALTER TABLE outbox_events ALTER max_retries TYPE bigint",
                "ALTER TABLE outbox_events ALTER retry_count TYPE bigint"}},
        Change{"TypeOfATime",
               {"ALTER TABLE outbox_events ALTER created_at TYPE timestamptz(3)",
                "ALTER TABLE outbox_events ALTER created_at TYPE timestamp"}},
        Change{"TypeOfText", {"ALTER TABLE outbox_events ALTER error_message TYPE varchar(4000)"}},
        Change{"AColumnMoreAndGoneAgain",
               {"ALTER TABLE outbox_events ADD note text DEFAULT clock_timestamp()::text",
                "ALTER TABLE outbox_events DROP note"}},
        Change{"VacuumFull",
               {"VACUUM FULL outbox_events", "VACUUM FULL outbox_shards", "VACUUM FULL outbox_meta",
                "VACUUM FULL outbox_relays"}},
        Change{"Cluster", {"CLUSTER outbox_events USING outbox_events_pkey"}},
        Change{"Reindex", {"REINDEX TABLE outbox_events", "REINDEX TABLE CONCURRENTLY outbox_events"}},
        Change{"UnloggedAndLogged",
               {"ALTER TABLE outbox_events SET UNLOGGED", "ALTER TABLE outbox_events SET LOGGED"}},
        Change{"TriggersOffAndOn",
               {"ALTER TABLE outbox_events DISABLE TRIGGER ALL",
                "ALTER TABLE outbox_events ENABLE TRIGGER ALL"}},
        Change{"ReplicaIdentityAndStorage",
               {"ALTER TABLE outbox_events REPLICA IDENTITY FULL",
                "ALTER TABLE outbox_events SET (fillfactor = 50)",
                "ALTER TABLE outbox_events ALTER event_data SET COMPRESSION pglz", "ANALYZE outbox_events"}},
        Change{"AnIndexMoreAndGoneAgain",
               {"CREATE INDEX CONCURRENTLY mine ON outbox_events (event_type)",
                "DROP INDEX CONCURRENTLY mine"}}),
    [](const auto& each) { return each.param.name; });

TEST_F(Live, ASchemaThatIsCalledOtherwiseForAWhileIsWaitedFor) {
    expect_sent_while([this] {
        change({"ALTER SCHEMA public RENAME TO elsewhere"});
        stay_quiet(3s);
        change({"ALTER SCHEMA elsewhere RENAME TO public"});
    });
}

class LiveTable : public Live, public testing::WithParamInterface<const char*> {};

TEST_P(LiveTable, ThatIsCalledOtherwiseForAWhileIsWaitedFor) {
    expect_sent_while([&] {
        change({fmt::format("ALTER TABLE {} RENAME TO elsewhere", GetParam())});
        stay_quiet(3s);
        change({fmt::format("ALTER TABLE elsewhere RENAME TO {}", GetParam())});
    });
}

INSTANTIATE_TEST_SUITE_P(OfOurs, LiveTable,
                         testing::Values("outbox_events", "outbox_shards", "outbox_relays", "outbox_meta",
                                         "outbox_blocked_keys", "outbox_topics"),
                         [](const auto& each) { return std::string(each.param); });

TEST_F(Live, ADatabaseThatIsCalledOtherwiseForAWhileIsWaitedFor) {
    expect_sent_while([this] {
        auto session = server();
        const auto rename = [&](const std::string& from, const std::string& to) {
            EXPECT_TRUE(wait_until([&] {
                try {
                    session.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
                                  {from}, Deadline::in(30s));
                    session.query(fmt::format("ALTER DATABASE {} RENAME TO {}", from, to), {},
                                  Deadline::in(30s));
                    return true;
                } catch (const Error&) {
                    return false;
                }
            }));
        };
        rename(database.name(), database.name() + "_elsewhere");
        stay_quiet(3s);
        rename(database.name() + "_elsewhere", database.name());
    });
}

TEST_F(Live, SessionsThatAreTerminatedAreOpenedAgain) {
    expect_sent_while([this] {
        auto session = server();
        for (int round = 0; round < 5; ++round) {
            session.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                          " WHERE datname = $1 AND application_name LIKE 'outbox-relay%'",
                          {database.name()}, Deadline::in(30s));
            stay_quiet(300ms);
        }
    });
}

TEST_F(Live, ADatabaseThatCanOnlyBeReadForAWhileIsWaitedFor) {
    expect_sent_while([this] {
        const auto read_only = [this](const char* value) {
            auto session = server();
            session.query(fmt::format("ALTER DATABASE {} SET default_transaction_read_only = {}",
                                      database.name(), value),
                          {}, Deadline::in(30s));
            session.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
                          {database.name()}, Deadline::in(30s));
        };
        read_only("on");
        stay_quiet(3s);
        read_only("off");
    });
}

TEST_F(Live, AMoveToAnotherTablespaceIsGoneOnWith) {
    const auto space = database.name();
    auto session = server();
    script(session, "SET allow_in_place_tablespaces = on");
    session.query(fmt::format("CREATE TABLESPACE {} LOCATION ''", space), {}, Deadline::in(30s));
    expect_sent_while([&] {
        change({fmt::format("ALTER TABLE outbox_events SET TABLESPACE {}", space)});
        change({"ALTER TABLE outbox_events SET TABLESPACE pg_default"});
    });
    session.query(fmt::format("DROP TABLESPACE {}", space), {}, Deadline::in(30s));
}

TEST_F(Live, WhatAWriterWithoutTriggersInsertsIsFoundByThePoll) {
    const Process relay = ready_relay();
    auto session = database.connect();
    script(session, "SET session_replication_role = replica");
    const auto id =
        session.query(insert_sql({.key = "a"}) + " RETURNING id", {}, Deadline::in(30s)).text(0, 0);
    EXPECT_TRUE(wait_sent(id, 10s)) << relay.errors();
    expect_exactly_once();
}

/// Failed over to a server whose clock is behind.
TEST_F(Live, WhatAClockThatWasAheadPlannedDoesNotHoldUpForLong) {
    {
        Process first = ready_relay();
        EXPECT_EQ(stop(first).exit_code, 0);
    }
    const auto id = insert({.key = "a"});
    insert({.key = "a"});
    database.query(
        "UPDATE outbox_events SET retry_count = 1, error_message = 'no leader', next_attempt_at = now() + "
        "interval '5 hours' WHERE id = $1",
        {id});
    database.query("UPDATE outbox_meta SET reshard_until = now() + interval '5 hours'");
    database.query("INSERT INTO outbox_relays (relay, name, lease, heartbeat_at, made_for) VALUES "
                   "(gen_random_uuid(), 'gone', "
                   "'3 s', now() + interval '5 hours', 31)");
    database.query(
        "UPDATE outbox_shards SET owned_since = now() + interval '5 hours', owner = (SELECT relay FROM "
        "outbox_relays)");
    const Process relay = ready_relay();
    EXPECT_TRUE(wait_until([&] { return count("status = 'SENT'") == 2; }, 20s)) << relay.errors();
    expect_exactly_once();
}

/// Before the database, which has to go first.
struct LoginRoles {
    support::Role app;
    support::Role relay_role;
};

class LiveRole : protected LoginRoles, public Live {
protected:
    LiveRole() { support::grant_least(database, app, relay_role); }
    void end_sessions_of_the_relay() const {
        auto session = server();
        session.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1",
                      {relay_role.name()}, Deadline::in(30s));
    }
};

class LiveRight : public LiveRole, public testing::WithParamInterface<const char*> {};

TEST_P(LiveRight, ThatIsTakenAwayAndGivenBackIsWaitedFor) {
    const std::string right = GetParam();
    const auto who = right.starts_with("USAGE") ? "PUBLIC" : relay_role.name();
    expect_sent_while(
        [&] {
            change({fmt::format("REVOKE {} FROM {}", right, who)});
            stay_quiet(2s);
            change({fmt::format("GRANT {} TO {}", right, who)});
        },
        relay_role.variables());
}

INSTANTIATE_TEST_SUITE_P(OfTheRelay, LiveRight,
                         testing::Values("SELECT ON outbox_events", "UPDATE ON outbox_shards",
                                         "SELECT ON outbox_meta", "UPDATE ON outbox_relays",
                                         "USAGE ON SCHEMA public"));

TEST_F(LiveRole, RowLevelSecurityIsWaitedForAndNamed) {
    Process relay = ready_relay(relay_role.variables());
    ASSERT_TRUE(wait_sent(insert({.key = "a"}))) << relay.errors();
    database.query("ALTER TABLE outbox_events ENABLE ROW LEVEL SECURITY");
    const auto id = insert({.key = "a"});
    stay_quiet(2s);
    EXPECT_FALSE(sent(id));
    database.query("ALTER TABLE outbox_events DISABLE ROW LEVEL SECURITY");
    EXPECT_TRUE(wait_sent(id, 10s)) << relay.errors();
    expect_exactly_once();
}

TEST_F(LiveRole, ANewPasswordInItsFileIsTakenUp) {
    const auto file = std::filesystem::temp_directory_path() / database.name();
    const auto write = [&](const std::string& password) { std::ofstream(file) << password << '\n'; };
    write(relay_role.password());
    expect_sent_while(
        [&] {
            change({fmt::format("ALTER ROLE {} PASSWORD 'another'", relay_role.name())});
            end_sessions_of_the_relay();
            stay_quiet(1s); // now the old one is refused
            write("another");
        },
        {{"DB_USER", relay_role.name()}, {"DB_PASSWORD", ""}, {"DB_PASSWORD_FILE", file.string()}});
    std::filesystem::remove(file);
}

TEST_F(LiveRole, AServerThatTakesNoMoreSessionsForAWhileIsWaitedFor) {
    expect_sent_while(
        [&] {
            change({fmt::format("ALTER ROLE {} CONNECTION LIMIT 0", relay_role.name())});
            end_sessions_of_the_relay();
            stay_quiet(2s);
            change({fmt::format("ALTER ROLE {} CONNECTION LIMIT -1", relay_role.name())});
        },
        relay_role.variables());
}

} // namespace
} // namespace outbox::relays
