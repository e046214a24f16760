#include "fixture.hpp"

#include <outbox/support/environment.hpp>

#include <fmt/format.h>

namespace outbox::relays {
namespace {

class Retry : public Operator {
protected:
    void SetUp() override {
        Operator::SetUp();
        create_topic(narrow, 3, {{"max.message.bytes", "10000"}});
        create_topic(narrow_too, 3, {{"max.message.bytes", "10000"}});
    }
    /// An event that is FAILED because its topic takes no such large one.
    std::string failed_event(const std::string& key, const std::string& on) {
        auto id = insert({.key = key, .data = large, .topic = on, .max_retries = 1});
        EXPECT_TRUE(wait_status(id, "FAILED"));
        return id;
    }

    std::string narrow = topic + "_narrow";
    std::string narrow_too = topic + "_narrow_too";
    std::string large = R"({"x": ")" + std::string(20'000, 'x') + R"("})";
};

TEST_F(Retry, DeliversAFailedEventOnceItsCauseIsMendedAndTwiceDoesNoHarm) {
    const Process relay = relay_without_other_topics();
    const auto id = failed_event("a", narrow);
    widen(narrow);
    EXPECT_EQ(done({"retry", "--id", id, "--reason", "topic widened"}), "retry: 1 event is NEW again\n");
    EXPECT_TRUE(wait_sent(id, 3s)) << relay.errors();
    EXPECT_THAT(done({"retry", "--id", id}), HasSubstr("is SENT: nothing to do"));
    EXPECT_EQ(database.query("SELECT retry_count, error_message FROM outbox_events"),
              (support::Rows{{"0", "NULL"}}));
    EXPECT_EQ(audit(), (Words{"retry --id=" + id + " 1 f", "retry --id=" + id + " 0 f"}));
    EXPECT_THAT(database.value("SELECT who FROM outbox_audit LIMIT 1"),
                testing::MatchesRegex(".+@.+ as " + support::required_variable("DB_USER")));
    EXPECT_EQ(database.value("SELECT why FROM outbox_audit ORDER BY id LIMIT 1"), "topic widened");
    expect_exactly_once();
}

TEST_F(Retry, TakesEventsByTypeAndByTheTimeSinceWhichTheyAreFailed) {
    const Process relay = relay_without_other_topics();
    const auto early = failed_event("a", narrow);
    const auto late = failed_event("b", narrow);
    const auto other = failed_event("c", narrow);
    database.query("UPDATE outbox_events SET processed_at = now() - interval '1 day' WHERE id = $1", {early});
    database.query("UPDATE outbox_events SET event_type = 'user.deleted' WHERE id = $1", {other});
    widen(narrow);
    EXPECT_EQ(done({"retry", "--event-type", "user.created", "--failed-since", "2999-01-01"}),
              "retry: no event that --event-type=user.created --failed-since=2999-01-01 chooses is FAILED: "
              "nothing to do; `outbox-relay failed` lists what is FAILED\n");
    const auto since = database.value("SELECT now() - interval '1 hour'");
    EXPECT_EQ(done({"retry", "--event-type", "user.created", "--failed-since", since}),
              "retry: 1 event is NEW again\n");
    EXPECT_TRUE(wait_sent(late)) << relay.errors();
    EXPECT_EQ(status(early), "FAILED");
    EXPECT_EQ(done({"retry", "--event-type", "user.created"}), "retry: 1 event is NEW again\n");
    EXPECT_TRUE(wait_sent(early)) << relay.errors();
    EXPECT_EQ(done({"retry", "--failed-since", since}), "retry: 1 event is NEW again\n");
    EXPECT_TRUE(wait_sent(other)) << relay.errors();
    expect_exactly_once();
}

TEST_F(Retry, LeavesAnEventThatALaterOneOfItsKeyHasOvertakenUnlessForced) {
    const Process relay = relay_without_other_topics();
    const auto overtaken = failed_event("a", narrow);
    const auto alone = failed_event("b", narrow);
    ASSERT_TRUE(wait_sent(insert({.key = "a"}))) << relay.errors();
    widen(narrow);
    EXPECT_EQ(
        refused({"retry", "--event-type", "user.created"}),
        "outbox-relay: retry: 1 event is left FAILED: later events of the same key are sent already, so the "
        "order would break; --force sends all the same\n");
    EXPECT_TRUE(wait_sent(alone)) << relay.errors();
    EXPECT_EQ(status(overtaken), "FAILED");
    EXPECT_EQ(done({"retry", "--id", overtaken, "--force"}), "retry: 1 event is NEW again\n");
    EXPECT_TRUE(wait_sent(overtaken)) << relay.errors();
    EXPECT_EQ(audit(), (Words{"retry --event-type=user.created 1 f", "retry --id=" + overtaken + " 1 t"}));
}

TEST_F(Retry, OfAnOlderEventGoesFirstAndLetsNobodyOvertakeTheOneThatWaits) {
    const Process relay = relay_without_other_topics();
    const auto oldest = failed_event("a", narrow);
    const auto waiting = insert({.key = "a", .data = large, .topic = narrow_too, .max_retries = 1000});
    ASSERT_TRUE(wait_retrying(waiting)) << relay.errors();
    const auto follower = insert({.key = "a"});
    widen(narrow);
    done({"retry", "--id", oldest});
    EXPECT_TRUE(wait_sent(oldest, 3s)) << relay.errors();
    expect_none_sent(fmt::format("id = '{}'", follower), 3s);
    widen(narrow_too);
    EXPECT_TRUE(wait_sent(waiting, 60s)) << relay.errors();
    EXPECT_TRUE(wait_sent(follower)) << relay.errors();
    expect_exactly_once();
}

TEST_F(Retry, Of5000EventsKeepsTheOrderOfTheirKeys) {
    const Process relay = relay_without_other_topics();
    database.query(fmt::format(
        "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic, status)"
        " SELECT gen_random_uuid(), 'user', 'k' || i % 7, 'user.created', '{{}}', '{}', 'FAILED'"
        " FROM generate_series(1, 5000) AS i",
        topic));
    EXPECT_EQ(done({"retry", "--event-type", "user.created"}), "retry: 5000 events are NEW again\n");
    EXPECT_TRUE(wait_until([&] { return count("status = 'SENT'") == 5000; }, 60s)) << relay.errors();
    EXPECT_EQ(audit(), Words{"retry --event-type=user.created 5000 f"});
    expect_exactly_once();
}

TEST_F(Retry, OfAnEventThatIsNotThereIsRefused) {
    EXPECT_EQ(refused({"retry", "--id", "00000000-0000-4000-8000-000000000001"}),
              "outbox-relay: retry: there is no event 00000000-0000-4000-8000-000000000001\n");
    EXPECT_THAT(audit(), IsEmpty());
}

TEST_F(Retry, LooksForLaterEventsOfTheKeyOnlyAmongThoseThatCameLater) {
    Process relay = ready_relay();
    auto writer = database.connect();
    script(writer,
           fmt::format("INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, event_data, "
                       "topic, status) SELECT 'user', 'k' || i, 'user.created', '{{}}', '{}', 'SENT' "
                       "FROM generate_series(1, 20000) AS i",
                       topic));
    const auto failed = insert({.key = "k1"});
    ASSERT_TRUE(wait_sent(failed));
    EXPECT_EQ(stop(relay).exit_code, 0); // what it reads would count as well
    script(writer, "UPDATE outbox_events SET status = 'FAILED' WHERE id = '" + failed + "'");
    script(writer, "VACUUM ANALYZE outbox_events");
    const auto blocks_read = [&] {
        return database.number("SELECT heap_blks_hit + heap_blks_read FROM pg_statio_user_tables WHERE relid "
                               "= 'outbox_events'::regclass");
    };
    script(writer, "SELECT pg_stat_force_next_flush()");
    database.query("SELECT pg_stat_force_next_flush()");
    ASSERT_TRUE(wait_until([&] { // a session tells at its end what it has read
        return database.number("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                               "application_name LIKE 'outbox-relay%'") == 0;
    }));
    const auto before = blocks_read();
    EXPECT_EQ(done({"retry", "--id", failed}), "retry: 1 event is NEW again\n");
    ASSERT_TRUE(wait_until([&] { return blocks_read() > before; }));
    EXPECT_LT(blocks_read() - before,
              database.number("SELECT relpages FROM pg_class WHERE oid = 'outbox_events'::regclass") / 2);
}

} // namespace
} // namespace outbox::relays
