#include "fixture.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace outbox::relays {
namespace {

class Status : public Operator {
protected:
    [[nodiscard]] nlohmann::json json(int exit_code = 0) const {
        const auto outcome = verb({"status", "--json"});
        EXPECT_EQ(outcome.exit_code, exit_code) << outcome.errors;
        return nlohmann::json::parse(outcome.output);
    }
};

TEST_F(Status, TellsOwnersBacklogAndFailuresToPeopleAndPrograms) {
    const Process relay = ready_relay();
    ASSERT_TRUE(wait_sent(insert({.key = "a"}))) << relay.errors();
    const auto failed = insert({.key = "a", .topic = "no/such topic", .max_retries = 1});
    ASSERT_TRUE(wait_status(failed, "FAILED")) << relay.errors();
    const auto poison = insert({.key = "a", .topic = "no/such topic", .max_retries = 1000});
    ASSERT_TRUE(wait_retrying(poison)) << relay.errors();
    const auto shard = shard_of("a");
    done({"pause", "--shard", std::to_string(shard), "--reason", "a look"});
    insert({.key = "a"});
    ASSERT_TRUE(wait_until([&] { return json()["shards"][shard]["state"] == "quiet"; }, 10s))
        << relay.errors();

    const auto document = json();
    EXPECT_EQ(document["name"], database.name());
    EXPECT_EQ(document["failed"], 1);
    ASSERT_EQ(document["shards"].size(), 4U);
    const auto& busy = document["shards"][shard];
    EXPECT_EQ(busy["backlog"], 2);
    EXPECT_GT(busy["oldest_seconds"], 0);
    EXPECT_LT(busy["oldest_seconds"], 60);
    EXPECT_EQ(busy["failed"], 1);
    EXPECT_EQ(busy["blocked_keys"], 1);
    EXPECT_EQ(busy["epoch"],
              database.number(fmt::format("SELECT epoch FROM outbox_shards WHERE shard = {}", shard)));
    EXPECT_GE(busy["last_batch"], 1);
    EXPECT_LT(busy["last_batch_seconds_ago"], 60);
    ASSERT_EQ(document["relays"].size(), 1U);
    EXPECT_EQ(busy["owner"], document["relays"][0]["name"]);
    EXPECT_THAT(std::string(busy["owner"]), testing::EndsWith(fmt::format(":{}", relay.id())));
    EXPECT_EQ(document["relays"][0]["shards"], 4);
    EXPECT_EQ(document["pauses"][0]["why"], "a look");

    const auto text = verb({"status"});
    EXPECT_EQ(text.exit_code, 0) << text.errors;
    EXPECT_THAT(text.output, HasSubstr("outbox " + database.name()));
    EXPECT_THAT(text.output, HasSubstr(fmt::format("\n{}      quiet ", shard)));
    EXPECT_THAT(text.output, HasSubstr(fmt::format("\nshard {}  ", shard)));
    EXPECT_THAT(text.errors, IsEmpty());
}

TEST_F(Status, EndsWith1WhenAShardHasNoLivingOwnerOrIsStopped) {
    insert({.key = "waits"});
    const auto unborn = json(1);
    EXPECT_EQ(unborn["shards"].size(), 0U) << "no relay has run yet";
    EXPECT_EQ(unborn["backlog"], 1);
    Process relay = ready_relay();
    EXPECT_EQ(json()["healthy"], true);
    database.query("UPDATE outbox_shards SET stopped = 'a reason' WHERE shard = 2");
    EXPECT_EQ(json(1)["shards"][2]["stopped"], "a reason");
    EXPECT_THAT(verb({"status"}).output, HasSubstr("shard 2 stopped: a reason\n"));
    database.query("UPDATE outbox_shards SET stopped = NULL");
    relay.kill();
    ASSERT_TRUE(wait_until([&] { return verb({"status"}).exit_code == 1; }, 20s));
    EXPECT_EQ(json(1)["shards"][0]["state"], "unowned");
    EXPECT_THAT(verb({"status"}).output, HasSubstr(" (gone) "));
}

TEST_F(Status, TakesTimesThatAreNone) {
    for (const char* when : {"-infinity", "infinity", "4713-01-01 BC", "294276-12-31"}) {
        database.query(insert_sql({.key = "a"}));
        database.query("ALTER TABLE outbox_events DISABLE TRIGGER USER");
        database.query("UPDATE outbox_events SET created_at = $1::timestamptz WHERE created_at > '2000-01-01'"
                       " AND created_at < '3000-01-01'",
                       {when});
        const auto outcome = verb({"status"});
        EXPECT_EQ(outcome.errors, "") << when;
        EXPECT_THAT(outcome.output, HasSubstr("no relay is alive")) << when;
    }
    const Process relay = ready_relay();
    EXPECT_TRUE(wait_until([&] { return count("status = 'SENT'") == 4; }, 30s)) << relay.errors();
}

TEST_F(Status, OfAShardThatDoesNotGetOnIsRecoveringWithTheReason) {
    const Process relay = ready_relay();
    ASSERT_TRUE(wait_sent(insert({.key = "a"}))) << relay.errors();
    EXPECT_EQ(json()["shards"][0]["recovering"], nullptr);
    database.query("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                   " 'BEGIN RAISE EXCEPTION ''not today''; END';"
                   " CREATE TRIGGER refuse BEFORE UPDATE ON outbox_events EXECUTE FUNCTION refuse()");
    const auto id = insert({.key = "a"});
    const auto shard = shard_of("a");
    ASSERT_TRUE(wait_until([&] { return verb({"status"}).exit_code == 1; }, 10s)) << relay.errors();
    const auto document = json(1);
    EXPECT_EQ(document["healthy"], false);
    EXPECT_EQ(document["shards"][shard]["state"], "recovering");
    EXPECT_THAT(std::string(document["shards"][shard]["recovering"]), HasSubstr("not today"));
    EXPECT_GE(document["shards"][shard]["recovering_seconds"], 1);
    EXPECT_EQ(document["shards"][(shard + 1) % shards]["state"], "running");
    EXPECT_THAT(verb({"status"}).output, HasSubstr(fmt::format("shard {} recovering for ", shard)));
    database.query("DROP TRIGGER refuse ON outbox_events");
    EXPECT_TRUE(wait_sent(id, 6s * slowness)) << relay.errors(); // it is tried every 2 s
    EXPECT_TRUE(wait_until([&] { return verb({"status"}).exit_code == 0; }, 10s)) << relay.errors();
    expect_exactly_once();
}

TEST_F(Status, EndsWith1WhenALimitIsExceededAndSaysWhich) {
    const Process relay = ready_relay();
    done({"pause"});
    database.query(
        "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic, status)"
        " SELECT gen_random_uuid(), 'user', 'k' || i, 'user.created', '{}', 't', 'FAILED'"
        " FROM generate_series(1, 999) AS i");
    EXPECT_EQ(json()["alarms"].size(), 0U);
    EXPECT_THAT(verb({"status", "--max-failed", "998"}).output,
                HasSubstr("alarm: 999 events are FAILED, more than --max-failed=998"));
    EXPECT_EQ(verb({"status", "--max-failed", "998"}).exit_code, 1);
    insert({.key = "a"});
    database.query("UPDATE outbox_events SET status = 'FAILED' WHERE status = 'NEW'");
    EXPECT_EQ(json(1)["alarms"].size(), 1U) << "a thousand are too many unless more are allowed";
    EXPECT_EQ(verb({"status", "--max-failed", "1000"}).exit_code, 0);

    const Words patient{"status", "--max-failed=1000", "--max-age=3600"};
    EXPECT_EQ(verb(patient).exit_code, 0);
    database.query(
        "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic, "
        "created_at)"
        " VALUES (gen_random_uuid(), 'user', 'k', 'user.created', '{}', 't', now() - interval '2 hours')");
    EXPECT_EQ(verb(patient).exit_code, 1);
    EXPECT_THAT(verb(patient).output, HasSubstr("longer than --max-age=3600"));
    EXPECT_EQ(verb({"status", "--max-failed=1000"}).exit_code, 0) << "not asked for";
    EXPECT_EQ(verb({"status", "--max-age=x"}).exit_code, 2);
}

TEST_F(Status, NamesAnOutboxThatACrashWouldEmpty) {
    const Process relay = ready_relay();
    database.query("ALTER TABLE outbox_events SET UNLOGGED");
    EXPECT_THAT(verb({"status"}).output, HasSubstr("alarm: outbox_events is UNLOGGED"));
    EXPECT_EQ(json(1)["healthy"], false);
}

TEST_F(Status, WalksOverNoEventThatIsSent) {
    {
        Process relay = ready_relay();
        EXPECT_EQ(stop(relay).exit_code, 0);
    }
    database.query(
        "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic, status)"
        " SELECT gen_random_uuid(), 'user', 'k' || i, 'user.created', '{}', 't',"
        " CASE i % 1000 WHEN 0 THEN 'FAILED' WHEN 1 THEN 'NEW' ELSE 'SENT' END"
        " FROM generate_series(1, 100000) AS i");
    // A session hands over what it counted when it ends.
    const auto read = [&] {
        return database.number("SELECT pg_stat_get_tuples_returned('outbox_events'::regclass)"
                               " + pg_stat_get_tuples_fetched('outbox_events'::regclass)");
    };
    const auto before = read();
    const auto document = json(1);
    EXPECT_EQ(document["failed"], 100);
    EXPECT_LT(read() - before, 1000);
}

} // namespace
} // namespace outbox::relays
