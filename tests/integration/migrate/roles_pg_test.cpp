#include "fixture.hpp"

namespace outbox::migrations {
namespace {

constexpr auto insert_event =
    "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic) "
    "VALUES (gen_random_uuid(), 'user', 'u1', 'user.created', '{}', 'user-events')";

constexpr auto denied = "42501";
constexpr auto accepted = "accepted";

/// The programs' roles of deploy/postgres/roles.sql.
class Roles : public testing::Test {
protected:
    Roles() { support::grant_least(database_, app_, relay_, nullptr, &backfill_); }

    std::string as(const Role& role, const std::string& sql) {
        auto options = database_.options();
        options.user = role.name();
        options.password = role.password();
        const Deadline deadline = Deadline::in(std::chrono::seconds(30));
        auto connection = postgres::Connection::open(options, deadline);
        try {
            connection.script(sql, deadline);
            return accepted;
        } catch (const postgres::DatabaseError& error) {
            return error.sqlstate();
        }
    }

    Role app_;
    Role relay_;
    Role backfill_;
    TestDatabase database_;
};

TEST_F(Roles, TheApplicationInsertsEventsAndThatIsAll) {
    EXPECT_EQ(as(app_, insert_event), accepted);
    EXPECT_EQ(as(app_, std::string(insert_event) + " RETURNING id, seq, created_at, status"), accepted);
    EXPECT_EQ(as(app_, "SELECT outbox_add('user', 'u1', 'user.created', '{}', 'user-events')"), accepted);
    EXPECT_EQ(as(app_, "SELECT event_data FROM outbox_events"), denied);
    EXPECT_EQ(as(app_, "SELECT headers FROM outbox_events"), denied);
    EXPECT_EQ(as(app_, "UPDATE outbox_events SET status = 'SENT'"), denied);
    EXPECT_EQ(as(app_, "DELETE FROM outbox_events"), denied);
    EXPECT_EQ(as(app_, "TRUNCATE outbox_events"), denied);
    EXPECT_EQ(as(app_, "SELECT nextval('outbox_events_seq_seq')"), denied);
    for (const char* table : {"outbox_meta", "outbox_shards", "outbox_relays", "outbox_blocked_keys",
                              "outbox_pauses", "outbox_audit", "outbox_migrations"}) {
        EXPECT_EQ(as(app_, "SELECT * FROM " + std::string(table)), denied) << table;
    }
}

TEST_F(Roles, TheApplicationRingsTheDoorbell) {
    auto sleeper = database_.connect();
    const Deadline deadline = Deadline::in(std::chrono::seconds(30));
    sleeper.script("SELECT pg_advisory_lock('public'::regnamespace::oid::integer, (1 << 28) + b) FROM "
                   "generate_series(0, 63) AS "
                   "b; LISTEN " +
                       doorbell_channel(database_),
                   deadline);
    ASSERT_EQ(as(app_, insert_event), accepted);
    EXPECT_EQ(sleeper.wait_notifications(-1, deadline).size(), 1U);
}

TEST_F(Roles, TheApplicationWritesItsOwnTables) {
    EXPECT_EQ(as(app_, "INSERT INTO users VALUES (gen_random_uuid(), 'a@example.com', 'A'); "
                       "SELECT * FROM users FOR UPDATE; UPDATE users SET name = 'B'; "
                       "INSERT INTO idempotency_keys (key, request_hash, status, body, expires_at) "
                       "VALUES ('k', '', 201, '', now()); DELETE FROM idempotency_keys"),
              accepted);
    EXPECT_EQ(as(app_, "DELETE FROM users"), denied);
}

TEST_F(Roles, TheRelayWritesWhatItKnowsAboutDelivery) {
    database_.query(insert_event);
    EXPECT_EQ(
        as(relay_,
           "SELECT * FROM outbox_events; UPDATE outbox_events SET status = 'SENT', processed_at = now(), "
           "retry_count = 1, error_message = 'x', next_attempt_at = now(), kafka_partition = 1, "
           "kafka_offset = 2"),
        accepted);
    EXPECT_EQ(as(relay_, "UPDATE outbox_meta SET name = 'x'; INSERT INTO outbox_shards (shard) VALUES (0); "
                         "UPDATE outbox_shards SET epoch = 1; "
                         "INSERT INTO outbox_relays (relay, name, lease, made_for) VALUES "
                         "(gen_random_uuid(), 'r', '10 s', 31); "
                         "UPDATE outbox_relays SET heartbeat_at = now(); DELETE FROM outbox_relays; "
                         "LISTEN outbox_doorbell_2200"),
              accepted);
    EXPECT_EQ(as(relay_, "SELECT setval('outbox_events_seq_seq', 10)"), accepted);
}

TEST_F(Roles, TheRelayCannotChangeWhatAnEventSays) {
    database_.query(insert_event);
    database_.query("UPDATE outbox_events SET status = 'SENT'"); // past the trigger: the grant alone decides
    for (const char* column :
         {"id = gen_random_uuid()", "event_data = '{}'", "topic = 'x'", "aggregate_id = 'x'",
          "aggregate_type = 'x'", "event_type = 'x'", "partition_key = 'x'", "headers = '{}'",
          "created_at = now()", "max_retries = 9"}) {
        EXPECT_EQ(as(relay_, "UPDATE outbox_events SET " + std::string(column)), denied) << column;
    }
    EXPECT_EQ(as(relay_, insert_event), denied);
    EXPECT_EQ(as(relay_, "DELETE FROM outbox_events"), denied);
    EXPECT_EQ(as(relay_, "TRUNCATE outbox_events"), denied);
}

TEST_F(Roles, TheRelayHasNoBusinessWithUsersNorWithTheOperatorsTables) {
    EXPECT_EQ(as(relay_, "SELECT * FROM users"), denied);
    EXPECT_EQ(as(relay_, "SELECT * FROM idempotency_keys"), denied);
    EXPECT_EQ(as(relay_, "DELETE FROM outbox_shards"), denied);
    EXPECT_EQ(as(relay_, "SELECT * FROM outbox_pauses"), accepted);
    EXPECT_EQ(as(relay_, "DELETE FROM outbox_pauses"), denied);
    EXPECT_EQ(as(relay_, "SELECT * FROM outbox_audit"), denied);
}

TEST_F(Roles, TheBackfillReadsEventsAndWritesDownItsRunsAndThatIsAll) {
    EXPECT_EQ(as(backfill_,
                 "SELECT * FROM outbox_events, outbox_meta, outbox_shards, outbox_relays, outbox_pauses"),
              accepted);
    EXPECT_EQ(
        as(backfill_,
           "INSERT INTO outbox_backfills (run, id, generated, who, selection, target, done_by, last_seq, "
           "log_position, events, lanes, control_offset) "
           "VALUES ('r', gen_random_uuid(), true, 'w', 's', 't', now(), 1, '0/0', 1, 4, 0); "
           "UPDATE outbox_backfills SET published = 1, finished_at = now(), cancelled_at = now(), "
           "cancelled_by = 'w'"),
        accepted);
    const std::string look = "SELECT last_value, outbox_summarize_seq(0, 100) FROM outbox_events_seq_seq";
    EXPECT_EQ(as(backfill_, look), accepted);
    EXPECT_EQ(as(relay_, "SELECT outbox_summarize_seq(0, 100)"), denied);
    EXPECT_EQ(as(backfill_, "SELECT nextval('outbox_events_seq_seq')"), denied);
    EXPECT_EQ(as(backfill_, "UPDATE outbox_backfills SET last_seq = 2"), denied);
    EXPECT_EQ(as(backfill_, "DELETE FROM outbox_backfills"), denied);
    EXPECT_EQ(as(backfill_, insert_event), denied);
    EXPECT_EQ(as(backfill_, "UPDATE outbox_events SET status = 'NEW'"), denied);
    EXPECT_EQ(as(backfill_, "DELETE FROM outbox_events"), denied);
    EXPECT_EQ(as(backfill_, "UPDATE outbox_meta SET name = 'x'"), denied);
    EXPECT_EQ(as(backfill_, "UPDATE outbox_shards SET epoch = 1"), denied);
    for (const char* table : {"users", "idempotency_keys", "outbox_audit", "outbox_blocked_keys"}) {
        EXPECT_EQ(as(backfill_, "SELECT * FROM " + std::string(table)), denied) << table;
    }
}

} // namespace
} // namespace outbox::migrations
