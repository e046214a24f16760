#include "metrics_observer.hpp"

#include <outbox/delivery/batch.hpp>
#include <outbox/metrics/exposition.hpp>

#include <gtest/gtest.h>

namespace outbox::monitor {
namespace {

using namespace std::chrono_literals;
using relay::happened::Outcome;

class MetricsObserverTest : public testing::Test {
protected:
    [[nodiscard]] testing::AssertionResult has(const std::string& line) const {
        const std::string text = metrics::write(registry.collect(), metrics::Format::text);
        return ("\n" + text).find("\n" + line + "\n") != std::string::npos
                   ? testing::AssertionSuccess()
                   : testing::AssertionFailure() << text;
    }

    metrics::Registry registry{{{"outbox", "a"}}};
    RelayView view;
    MetricsObserver observer{registry, view};
};

TEST_F(MetricsObserverTest, EverythingThatIsCountedIsThereFromTheFirstScrape) {
    for (const char* outcome : {"sent", "failed", "skipped", "retried", "dead_lettered"}) {
        EXPECT_TRUE(has("outbox_events_total{outbox=\"a\",outcome=\"" + std::string(outcome) + "\"} 0"));
    }
    for (const char* outcome : {"committed", "aborted", "unknown"}) {
        EXPECT_TRUE(has("outbox_kafka_transaction_duration_seconds_count{outbox=\"a\",outcome=\"" +
                        std::string(outcome) + "\"} 0"));
    }
    for (const char* as : {"sent", "reset", "gone"}) {
        EXPECT_TRUE(has("outbox_recovered_events_total{outbox=\"a\",as=\"" + std::string(as) + "\"} 0"));
    }
    for (const char* name : {"takeovers", "recoveries", "lease_expired", "order_violations"}) {
        EXPECT_TRUE(has("outbox_" + std::string(name) + "_total{outbox=\"a\"} 0"));
    }
}

TEST_F(MetricsObserverTest, EventsAreCountedByWhatBecameOfThem) {
    observer.retried({});
    observer.failed({});
    observer.failed_with_topic({.events = 5});
    observer.skipped({.events = 2});
    observer.dead_lettered({.events = 3});
    EXPECT_TRUE(has("outbox_events_total{outbox=\"a\",outcome=\"retried\"} 1"));
    EXPECT_TRUE(has("outbox_events_total{outbox=\"a\",outcome=\"failed\"} 6"));
    EXPECT_TRUE(has("outbox_events_total{outbox=\"a\",outcome=\"skipped\"} 2"));
    EXPECT_TRUE(has("outbox_events_total{outbox=\"a\",outcome=\"dead_lettered\"} 3"));
}

TEST_F(MetricsObserverTest, ADeliveryTakesFromCreationToCommitAndADeadLetterIsNone) {
    delivery::Batch batch;
    const auto now = std::chrono::system_clock::now();
    for (const auto age : {2ms, 20ms, 7ms}) {
        store::Row row;
        row.seq = static_cast<std::int64_t>(batch.claimed.rows.size()) + 1;
        row.created_at_us =
            std::chrono::duration_cast<std::chrono::microseconds>((now - age).time_since_epoch()).count();
        batch.claimed.rows.push_back(row);
        batch.records.emplace_back();
    }
    batch.claimed.rows.emplace_back(); // nobody knows when
    batch.claimed.rows.back().seq = 4;
    batch.records.emplace_back();
    batch.dead_letters[3] = {};
    observer.sent({0, now, relay::happened::Events(batch)});
    EXPECT_TRUE(has("outbox_events_total{outbox=\"a\",outcome=\"sent\"} 3"));
    EXPECT_TRUE(has("outbox_delivery_latency_seconds_count{outbox=\"a\"} 2"));
    EXPECT_TRUE(has("outbox_delivery_latency_seconds_bucket{outbox=\"a\",le=\"0.005\"} 1"));
    EXPECT_TRUE(has("outbox_delivery_latency_seconds_bucket{outbox=\"a\",le=\"0.025\"} 2"));
}

TEST_F(MetricsObserverTest, TransactionsAreTimedByTheirOutcome) {
    observer.transaction_ended({.outcome = Outcome::committed, .events = 40, .took = 3ms});
    observer.transaction_ended({.outcome = Outcome::unknown, .events = 40, .took = 3s});
    EXPECT_TRUE(has("outbox_kafka_transaction_duration_seconds_count{outbox=\"a\",outcome=\"committed\"} 1"));
    EXPECT_TRUE(has("outbox_kafka_transaction_duration_seconds_count{outbox=\"a\",outcome=\"unknown\"} 1"));
    EXPECT_TRUE(has("outbox_transaction_events_count{outbox=\"a\"} 1"));
    EXPECT_TRUE(has("outbox_transaction_events_sum{outbox=\"a\"} 40"));
}

TEST_F(MetricsObserverTest, RecoveriesAreCountedUnlessNothingHadFailed) {
    observer.recovers({.shard = 1});
    observer.pipeline_recovers({.pipeline = 0, .shards = 4});
    observer.recovers({.shard = 1, .cause = relay::happened::Cause::mended});
    observer.recovered({.shard = 1, .settled = 3, .reset = 2});
    observer.gone({.shard = 1, .events = 4});
    observer.took_over({.shard = 1});
    observer.lease_expired({.shard = 1});
    observer.order_violation({9});
    EXPECT_TRUE(has("outbox_recoveries_total{outbox=\"a\"} 2"));
    EXPECT_TRUE(has("outbox_recovered_events_total{outbox=\"a\",as=\"sent\"} 3"));
    EXPECT_TRUE(has("outbox_recovered_events_total{outbox=\"a\",as=\"reset\"} 2"));
    EXPECT_TRUE(has("outbox_recovered_events_total{outbox=\"a\",as=\"gone\"} 4"));
    EXPECT_TRUE(has("outbox_events_total{outbox=\"a\",outcome=\"failed\"} 4"));
    EXPECT_TRUE(has("outbox_takeovers_total{outbox=\"a\"} 1"));
    EXPECT_TRUE(has("outbox_lease_expired_total{outbox=\"a\"} 1"));
    EXPECT_TRUE(has("outbox_order_violations_total{outbox=\"a\"} 1"));
}

} // namespace
} // namespace outbox::monitor
