// What others do with the same servers: it is waited for where it must be, and slows nothing where it need
// not.

#include <outbox/core/handle.hpp>
#include <outbox/kafka/admin.hpp>
#include <outbox/kafka/transactions.hpp>
#include <outbox/support/environment.hpp>
#include <outbox/support/relays.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <memory>
#include <thread>

namespace outbox::relays {
namespace {

/// Somebody else's transactional producer, with a record in a transaction that it does not end by itself.
class OpenTransaction {
public:
    OpenTransaction(const std::string& topic, std::int32_t partition)
        : producer_(connect("somebody-else-in-" + topic)) {
        done(rd_kafka_init_transactions(producer_.get(), patience_ms));
        done(rd_kafka_begin_transaction(producer_.get()));
        const auto produced = rd_kafka_producev(producer_.get(), RD_KAFKA_V_TOPIC(topic.c_str()),
                                                RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_KEY("x", 1),
                                                RD_KAFKA_V_VALUE(const_cast<char*>("x"), 1), RD_KAFKA_V_END);
        if (produced != RD_KAFKA_RESP_ERR_NO_ERROR ||
            rd_kafka_flush(producer_.get(), patience_ms) != RD_KAFKA_RESP_ERR_NO_ERROR) {
            throw std::runtime_error("nothing was produced");
        }
    }
    void abort() { done(rd_kafka_abort_transaction(producer_.get(), patience_ms)); }
    void commit() { done(rd_kafka_commit_transaction(producer_.get(), patience_ms)); }

private:
    static constexpr int patience_ms = 30'000;
    using Producer = Handle<rd_kafka_t, rd_kafka_destroy>;

    static Producer connect(const std::string& transactional_id) {
        std::array<char, 512> reason{};
        auto* conf = rd_kafka_conf_new();
        for (const auto& [name, value] :
             Variables{{"bootstrap.servers", support::required_variable("KAFKA_BROKERS")},
                       {"transactional.id", transactional_id},
                       {"transaction.timeout.ms", "300000"}}) {
            rd_kafka_conf_set(conf, name.c_str(), value.c_str(), reason.data(), reason.size());
        }
        return Producer(rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason.data(), reason.size()));
    }
    static void done(rd_kafka_error_t* error) {
        if (error != nullptr) {
            const std::string text = rd_kafka_error_string(error);
            rd_kafka_error_destroy(error);
            throw std::runtime_error(text);
        }
    }

    Producer producer_;
};

class Hindrance : public Relays {
protected:
    /// A transaction of the first slot is under way, or being ended.
    bool a_lane_is_open() {
        const kafka::ClientOptions options{support::required_variable("KAFKA_BROKERS"), "test"};
        const kafka::Admin admin(options);
        const kafka::Transactions transactions(admin, options);
        return std::ranges::any_of(std::array{0, 1}, [&](int lane) {
            const auto id =
                fmt::format("outbox-{}-p0-{}", database.value("SELECT outbox_id FROM outbox_meta"), lane);
            const auto kind = transactions.describe(id, Deadline::in(10s)).kind;
            return kind == kafka::TransactionState::Kind::ongoing ||
                   kind == kafka::TransactionState::Kind::ending;
        });
    }

    void write(int events) {
        const auto written =
            support::run(load({"--events", std::to_string(events), "--keys", "60", "--batch", "5"}), 60s);
        EXPECT_EQ(written.exit_code, 0) << written.errors;
    }
    bool wait_all_sent() {
        return wait_until([&] { return count("status <> 'SENT'") == 0; }, 60s);
    }
    std::int64_t statistic(const std::string& sum, const std::string& view) {
        return database.number(
            fmt::format("SELECT sum({}) FROM {} WHERE relname = 'outbox_events'", sum, view));
    }
};

TEST_F(Hindrance, AnotherProducersOpenTransactionOnTheControlPartitionIsWaitedForAndNamed) {
    const Variables one_shard{{"RELAY_SHARDS", "1"}};
    {
        Process first = ready_relay(one_shard); // creates the control topic
        write(50);
        ASSERT_TRUE(wait_all_sent()) << first.errors();
        EXPECT_EQ(stop(first).exit_code, 0);
    }
    OpenTransaction foreign("outbox." + database.name() + ".control", 0);
    Process relay = start_relay(one_shard);
    write(50);
    EXPECT_TRUE(relay.wait_for(Signal("recovers").saying("an open transaction"), Deadline::in(90s)))
        << relay.errors();
    EXPECT_EQ(count("status = 'SENT'"), 50) << "the newest manifests may be beyond its reach";
    foreign.abort();
    EXPECT_TRUE(wait_all_sent()) << relay.errors();
    expect_exactly_once();
    EXPECT_EQ(count("retry_count > 0"), 0);
}

TEST_F(Hindrance, ATransactionThatTheBrokerGivesUpInMidBatchIsSentAgain) {
    Process relay = start_relay_with_fault("before-commit:1:stop", {{"RELAY_LEASE", "120"}});
    write(100);
    ASSERT_TRUE(wait_until([&] { return relay.stopped(); }, 60s)) << relay.errors();
    ASSERT_TRUE(wait_until([&] { return !a_lane_is_open(); }, 3 * broker_gives_up));
    relay.signal(SIGCONT);
    EXPECT_TRUE(wait_all_sent()) << relay.errors();
    expect_exactly_once();
    EXPECT_EQ(count("retry_count > 0"), 0);
    EXPECT_GE(relay.count(Signal("recovers")), 1);
    EXPECT_LE(relay.count(Signal("recovers").saying("_FENCED)")) +
                  relay.count(Signal("recovers").saying("INVALID_PRODUCER_EPOCH)")),
              shards)
        << "a shard goes round in circles: " << relay.errors();
}

TEST_F(Hindrance, AHungRelaysTransactionIsEndedByTheBrokerThoughNobodyTakesOver) {
    create_topic(topic, 1);
    Process hung = start_relay_with_fault("before-commit:1:stop", {{"RELAY_SHARDS", "1"}});
    write(50);
    ASSERT_TRUE(wait_until([&] { return hung.stopped(); }, 60s)) << hung.errors();
    OpenTransaction(topic, 0).commit();
    EXPECT_TRUE(read_visible(topic).empty()) << "before it the hung relay's transaction is open";
    EXPECT_LT(time_until([&] { return read_visible(topic).size() == 1; }, 60s),
              broker_gives_up + 3s * slowness);
    hung.signal(SIGCONT);
    EXPECT_TRUE(wait_all_sent()) << hung.errors();
    EXPECT_EQ(read_topic(topic).size(), 51U);
}

TEST_F(Hindrance, AControlTopicThatIsCompactedUnderLoadStillTellsWhatWasSent) {
    const auto control = "outbox." + database.name() + ".control";
    create_topic(control, 64,
                 {{"cleanup.policy", "compact"},
                  {"segment.ms", "200"},
                  {"min.cleanable.dirty.ratio", "0.01"},
                  {"max.compaction.lag.ms", "500"}});
    const Variables one_shard{{"RELAY_SHARDS", "1"}};
    Process first = ready_relay(one_shard);
    Process writer(load({"--events", "4000", "--keys", "60", "--rate", "200"}));
    constexpr int of_the_first_manifest = 2; // behind what says whose the name is
    ASSERT_TRUE(wait_until([&] { return first_offset_of(control, 0) > of_the_first_manifest; }, 60s))
        << "the broker did not compact " << control;
    first.kill();
    Process second = ready_relay(one_shard);
    write(200);
    EXPECT_EQ(writer.wait(Deadline::in(60s)).exit_code, 0);
    EXPECT_TRUE(wait_all_sent()) << second.errors();
    second.kill();
    const Process third = ready_relay(one_shard);
    write(50);
    expect_exactly_once();
}

TEST_F(Hindrance, ALockThatAnEarlierSessionStillHoldsIsTakenWhenItEnds) {
    const Process relay = ready_relay();
    const std::string lock =
        "FROM pg_locks WHERE locktype = 'advisory' AND classid = 'public'::regnamespace AND objid::bigint >> "
        "28 = 3 AND objsubid = 2"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    // What a server keeps that does not know yet that the network lost the relay's session.
    auto earlier = std::make_unique<postgres::Connection>(database.connect());
    const auto others =
        fmt::format("{} AND pid <> {}", lock,
                    earlier->query("SELECT pg_backend_pid()", {}, Deadline::in(30s)).integer(0, 0));
    std::thread waits([&] {
        script(*earlier, "SELECT pg_advisory_lock('public'::regnamespace::oid::integer, (3 << 28) + "
                         "lock_key) FROM outbox_relays");
    });
    EXPECT_TRUE(
        wait_until([&] { return database.number("SELECT count(*) " + lock + " AND NOT granted") == 1; }));
    database.value("SELECT pg_terminate_backend(pid) " + others + " AND granted");
    waits.join();
    const auto beats = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                       " AND query LIKE 'WITH beat AS%'";
    EXPECT_TRUE(wait_until([&] { return database.number(beats) > 0; })) << relay.errors(); // it is back
    earlier.reset();
    EXPECT_TRUE(wait_until([&] {
        return database.number("SELECT count(*) " + others + " AND granted") == 1;
    })) << relay.errors();
}

TEST_F(Hindrance, ALongTransactionInAnotherDatabaseHoldsUpNothing) {
    auto other = postgres::Connection::open(support::server_options("postgres"), Deadline::in(30s));
    script(other, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_current_xact_id()");
    const Process relay = ready_relay();
    write(500);
    EXPECT_TRUE(wait_all_sent()) << relay.errors();
    script(other, "ROLLBACK");
    expect_exactly_once();
}

TEST_F(Hindrance, ManySentRowsWithoutAutovacuumAreNotReadAgain) {
    const auto asked = support::optional_variable("OUTBOX_SENT_ROWS");
    const int old_rows = asked ? std::stoi(*asked) : 300'000;
    constexpr int portion = 50'000;
    constexpr std::int64_t rounds = 20;
    constexpr int events = 500; // a round
    constexpr int buckets = 64;
    database.query("ALTER TABLE outbox_events SET (autovacuum_enabled = off)");
    for (int left = old_rows; left > 0; left -= portion) { // one statement may take 30 s
        database.query(
            "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic, "
            "status, processed_at) SELECT gen_random_uuid(), 'user', 'old' || i % 5000, 'user.created', "
            "'{}', $1, 'SENT', now() FROM generate_series(1, $2::integer) AS i",
            {topic, std::to_string(portion)});
    }
    database.query("SET enable_seqscan = off"); // the test's own look must not count
    const Process relay = ready_relay();
    database.query("SELECT pg_stat_reset()");
    for (int round = 0; round < rounds; ++round) {
        write(events);
        // A count would read what is left each time it looks.
        const auto left =
            "SELECT EXISTS (SELECT FROM outbox_events WHERE unsent AND next_attempt_at IS NULL)";
        ASSERT_TRUE(wait_until([&] { return database.value(left) == "f"; }, 60s)) << relay.errors();
    }
    const auto read = [&] { return statistic("idx_tup_read", "pg_stat_user_indexes"); };
    ASSERT_TRUE(wait_until([&] { return read() > rounds * events; }, 60s));
    EXPECT_EQ(statistic("seq_tup_read", "pg_stat_user_tables"), 0);
    // A scan is of one bucket. It may meet the round's own rows, in flight or not dead to all yet; with those
    // of earlier rounds they would be rounds / 2 times as many.
    const auto scans = statistic("idx_scan", "pg_stat_user_indexes");
    EXPECT_LT(read(), scans * 2 * events / buckets)
        << scans << " scans: "
        << database.value("SELECT string_agg(indexrelname || ' ' || idx_tup_read, ', ')"
                          " FROM pg_stat_user_indexes WHERE relname = 'outbox_events'");
}

} // namespace
} // namespace outbox::relays
