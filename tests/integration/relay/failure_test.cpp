// Events that cannot be sent: they are tried again, given up, and never hold up another key.

#include <outbox/support/relays.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <csignal>

namespace outbox::relays {
namespace {

using testing::HasSubstr;

class Failure : public Relays {
protected:
    /// Of one event of each key, from its commit to SENT.
    std::chrono::milliseconds median_time(const std::vector<std::vector<std::string>>& keys) {
        std::vector<std::chrono::milliseconds> times;
        for (const auto& key : keys) {
            const auto id = insert({.key = key[0]});
            times.push_back(time_until([&] { return sent(id); }, 20s));
        }
        std::sort(times.begin(), times.end());
        return times[times.size() / 2];
    }
    static std::string text_of(std::size_t bytes) {
        return R"({"text": ")" + std::string(bytes, 'x') + R"("})";
    }
    std::string error_of(const std::string& id) {
        return database.value("SELECT error_message FROM outbox_events WHERE id = $1", {id});
    }
    std::int64_t retries_of(const std::string& id) {
        return database.number("SELECT retry_count FROM outbox_events WHERE id = $1", {id});
    }
    bool waits(const std::string& id) {
        return wait_until([&] { return retries_of(id) > 0; }, 30s);
    }
    bool wait_failed(const std::string& id) {
        return wait_until([&] { return status(id) == "FAILED"; }, 60s);
    }
    /// Until `id` is FAILED, no event but it may be settled for its key.
    void expect_followers_wait_for(const std::string& id, const std::string& key) {
        bool failed = false;
        const Deadline deadline = Deadline::in(60s);
        while (!failed && !deadline.passed()) {
            const auto seen = database.query( // one snapshot
                "SELECT (SELECT status FROM outbox_events WHERE id = $1), (SELECT count(*) FROM "
                "outbox_events WHERE aggregate_id = $2 AND status = 'SENT')",
                {id, key});
            failed = seen[0][0] == "FAILED";
            if (!failed) {
                ASSERT_EQ(seen[0][1], "0") << "a later event overtook the one that waits";
            }
            stay_quiet(10ms);
        }
        EXPECT_TRUE(failed);
    }
    void insert_many(const std::string& key_sql, int rows, const std::string& data = "{}") {
        database.query(
            fmt::format("INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, "
                        "event_data, topic) SELECT gen_random_uuid(), 'user', {}, 'user.created', $1, $2 "
                        "FROM generate_series(1, {}) AS i",
                        key_sql, rows),
            {data, topic});
    }
};

TEST_F(Failure, ATooLargeRowInABatchOf1000DelaysOnlyItsOwnKey) {
    create_topic(topic, 6, {{"max.message.bytes", "20000"}});
    const Process relay = ready_relay();
    auto writer = database.connect();
    script(
        writer,
        "BEGIN; INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic)"
        " SELECT gen_random_uuid(), 'user', 'k' || i, 'user.created', CASE i WHEN 500 THEN "
        "jsonb_build_object('text', repeat('x', 60000)) ELSE '{}' END, '" +
            topic + "' FROM generate_series(1, 1000) AS i; " + insert_sql({.key = "k500"}) + "; " +
            insert_sql({.key = "k500"}) + "; COMMIT");
    const auto poison = database.value("SELECT id FROM outbox_events WHERE length(event_data::text) > 50000");
    const auto took =
        time_until([&] { return count("status = 'SENT' AND aggregate_id <> 'k500'") == 999; }, 30s);
    RecordProperty("milliseconds_for_999", std::to_string(took.count()));
    EXPECT_LT(took, 3s * slowness) << relay.errors();
    expect_followers_wait_for(poison, "k500");
    EXPECT_EQ(retries_of(poison), 3);
    EXPECT_THAT(error_of(poison), HasSubstr("max.message.bytes"));
    EXPECT_TRUE(wait_until([&] { return count("status = 'SENT'") == 1001; }, 10s));
    EXPECT_EQ(count("retry_count > 0"), 1) << "a neighbour paid for it";
    EXPECT_LT(database.number("SELECT sum(marked_batch) FROM outbox_shards"), 100);
    expect_exactly_once({"--wait", "30", "--allow-failed"});
}

TEST_F(Failure, AnInvalidTopicNameFailsWithItsReason) {
    const Process relay = ready_relay();
    const auto bad = insert({.key = "bad", .topic = "no/such topic", .max_retries = 1});
    const auto good = insert({.key = "good"});
    EXPECT_TRUE(wait_sent(good)) << relay.errors();
    EXPECT_TRUE(wait_failed(bad)) << relay.errors();
    EXPECT_EQ(retries_of(bad), 1);
    EXPECT_THAT(error_of(bad), HasSubstr("is not a topic name"));
    expect_exactly_once({"--wait", "30", "--allow-failed"});
}

TEST_F(Failure, AnEventThatIsGivenUpIsAnErrorInTheLog) {
    Process relay = ready_relay();
    const auto bad = insert({.key = "bad", .topic = "no/such topic", .max_retries = 1});
    EXPECT_TRUE(wait_failed(bad)) << relay.errors();
    // The log says it after the commit.
    ASSERT_TRUE(relay.wait_for_text("event given up", Deadline::in(30s))) << relay.errors();
    const std::string log = relay.errors();
    const auto words = log.find("event given up");
    const auto begin = log.rfind('\n', words) + 1;
    const auto line = log.substr(begin, log.find('\n', words) - begin);
    EXPECT_THAT(line, HasSubstr(R"("level":"error")"));
    EXPECT_THAT(line, HasSubstr("\"event\":\"" + bad + '"')) << "what retry --id takes";
    EXPECT_THAT(line, HasSubstr(R"("seq":1,)"));
}

TEST_F(Failure, WhereARowNamesNoLimitTheRelaysOwnCounts) {
    const Process relay = ready_relay({{"RELAY_MAX_RETRIES", "2"}});
    const auto bad = database.value(
        "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic,"
        " max_retries) VALUES (gen_random_uuid(), 'user', 'bad', 'user.created', '{}', 'no/such topic', NULL)"
        " RETURNING id");
    EXPECT_TRUE(wait_failed(bad)) << relay.errors();
    EXPECT_EQ(retries_of(bad), 2);
}

TEST_F(Failure, AnEventForTheControlTopicIsRefusedAndTheShardGoesOn) {
    const std::string bad = insert({"k", "{}", "outbox." + database.name() + ".control", 1});
    const auto replays = "outbox." + database.name() + ".backfill"; // which no replay has made yet
    const std::string worse = insert({"k", "{}", replays, 1});
    const std::string good = insert({"k"});
    Process relay = ready_relay();
    EXPECT_TRUE(wait_sent(good));
    EXPECT_EQ(status(bad), "FAILED");
    EXPECT_THAT(database.value("SELECT error_message FROM outbox_events WHERE id = $1", {bad}),
                testing::HasSubstr("is this outbox's control topic"));
    EXPECT_EQ(status(worse), "FAILED");
    EXPECT_THAT(database.value("SELECT error_message FROM outbox_events WHERE id = $1", {worse}),
                testing::HasSubstr(replays + " is this outbox's control topic"));
    EXPECT_EQ(relay.count(Signal("topic_created").with("topic", replays)), 0) << "nor is it made";
    stop(relay);
}

TEST_F(Failure, AnEventForAnotherOutboxsControlTopicOrForOneOfKafkasOwnIsRefused) {
    const auto name = "outbox." + database.name();
    const Variables as_relays_do{
        {"cleanup.policy", "compact"}, {"segment.bytes", "16777216"}, {"max.message.bytes", "4194304"}};
    create_topic(name + "-other.control", 1, as_relays_do);
    create_topic(name + "-other.backfill", 1, as_relays_do);
    create_topic(name + "-events.control", 1); // it is only called so
    const Process relay = ready_relay();
    for (const auto& refusing :
         {name + "-other.control", name + "-other.backfill", std::string("__consumer_offsets")}) {
        const auto bad = insert({"k", "{}", refusing, 1});
        EXPECT_TRUE(wait_failed(bad)) << refusing;
        EXPECT_THAT(database.value("SELECT error_message FROM outbox_events WHERE id = $1", {bad}),
                    testing::EndsWith("no event goes there"));
    }
    EXPECT_TRUE(wait_sent(insert({"k", "{}", name + "-events.control"})));
}

TEST_F(Failure, ABlockedKeyWith100000WaitingRowsDoesNotSlowTheOthers) {
    Process relay = ready_relay();
    ASSERT_TRUE(wait_sent(insert({.key = "first"}))) << relay.errors(); // creates the topic
    // Keys of the same bucket have the same index range to walk.
    const auto neighbours =
        database.query("SELECT k FROM (SELECT 'k' || i AS k FROM generate_series(1, 2000) AS i) AS keys WHERE"
                       " outbox_bucket(k) = outbox_bucket('blocked') LIMIT 5");
    ASSERT_EQ(neighbours.size(), 5U);
    const auto free = median_time(neighbours);
    const auto poison = insert({.key = "blocked", .topic = "no/such topic", .max_retries = 1000});
    ASSERT_TRUE(waits(poison)) << relay.errors();
    insert_many("'blocked'", 100'000);
    database.query("ANALYZE outbox_events");
    EXPECT_TRUE(wait_until([&] { return count("next_attempt_at = 'infinity'") == 100'000; }, 90s))
        << "the followers are not held aside: " << relay.errors();
    const auto slowed = median_time(neighbours);
    EXPECT_LT(slowed, 500ms * slowness + 2 * free) << relay.errors();
    EXPECT_EQ(count("aggregate_id = 'blocked' AND status = 'SENT'"), 0);
    database.query("UPDATE outbox_events SET status = 'SKIPPED' WHERE id = $1", {poison});
    expect_exactly_once({"--wait", "60"});
    EXPECT_FALSE(HasFailure()) << relay.errors();
}

TEST_F(Failure, ABigBatchOfSmallRowsFitsATopicThatTakesSmallBatches) {
    create_topic(topic, 6, {{"max.message.bytes", "10000"}});
    const Process relay = ready_relay();
    insert_many("'k' || i % 50", 2'000, text_of(3'000));
    EXPECT_TRUE(wait_until([&] { return count("status = 'SENT'") == 2'000; }, 60s)) << relay.errors();
    EXPECT_EQ(count("retry_count > 0 OR error_message IS NOT NULL"), 0);
    // A shard that did not know the topic yet is refused once; without the limit it would seek by halves.
    EXPECT_LE(lines_with("MSG_SIZE_TOO_LARGE", relay.errors()), shards);
    expect_exactly_once();
}

TEST_F(Failure, AKeyThatWaitsForItsRetryStillWaitsAfterATakeover) {
    create_topic(topic, 6, {{"max.message.bytes", "20000"}});
    Process first = ready_relay();
    const auto poison = insert({.key = "a", .data = text_of(60'000), .max_retries = 4});
    ASSERT_TRUE(wait_until([&] { return retries_of(poison) == 3; }, 30s))
        << first.errors(); // a longer wait follows
    insert_many("'a'", 20);
    first.kill();
    insert_many("'a'", 20); // nobody has held these aside
    const Process second = start_relay();
    expect_followers_wait_for(poison, "a");
    EXPECT_EQ(retries_of(poison), 4);
    EXPECT_TRUE(wait_until([&] { return count("status = 'SENT'") == 40; }, 30s)) << second.errors();
    expect_exactly_once({"--wait", "30", "--allow-failed"});
}

} // namespace
} // namespace outbox::relays
