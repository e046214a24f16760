#include "outbox/relay/happenings.hpp"

#include <outbox/delivery/batch.hpp>

#include <gtest/gtest.h>

namespace outbox::relay {
namespace {

using happened::Event;
using happened::Events;

TEST(HappenedEvents, AreReadWhereTheyLie) {
    delivery::Batch batch;
    store::Row row;
    row.id = Uuid::random();
    row.seq = 7;
    row.retry_count = 1;
    row.created_at_us = 1'500'000;
    row.headers = R"({"traceparent":"00-1-2-01"})";
    batch.claimed.rows = {row, store::Row{}};
    batch.claimed.rows[1].seq = 8;
    batch.records.resize(3);
    batch.records[0].topic = "users";
    batch.records[0].partition = 2;
    batch.records[0].key = "42";
    batch.dead_letters[8] = {};

    const Events events(batch);
    ASSERT_EQ(events.size(), 2U) << "the manifest is none";
    const Event first = events[0];
    EXPECT_EQ(first.id, row.id);
    EXPECT_EQ(first.seq, 7);
    EXPECT_EQ(first.topic, "users");
    EXPECT_EQ(first.partition, 2);
    EXPECT_EQ(first.key, "42");
    EXPECT_EQ(first.headers, row.headers);
    EXPECT_EQ(first.created_at, happened::Moment(std::chrono::milliseconds(1'500)));
    EXPECT_EQ(first.attempt, 2);
    EXPECT_FALSE(first.dead_letter);
    EXPECT_TRUE(events[1].dead_letter);
    EXPECT_FALSE(events[1].created_at) << "nobody knows";
}

TEST(HappenedEvents, OfInfiniteAgeHaveNoMoment) {
    delivery::Batch batch;
    batch.claimed.rows.resize(2);
    batch.records.resize(2);
    batch.claimed.rows[0].created_at_us = INT64_MAX;
    batch.claimed.rows[1].created_at_us = INT64_MIN;
    EXPECT_FALSE(Events(batch)[0].created_at);
    EXPECT_FALSE(Events(batch)[1].created_at);
}

TEST(Names, OfStatesAndOutcomesAreWords) {
    EXPECT_EQ(name_of(ShardState::unowned), "unowned");
    EXPECT_EQ(name_of(ShardState::backing_off), "backing_off");
    EXPECT_EQ(name_of(ShardState::ended), "ended");
    EXPECT_EQ(name_of(happened::Outcome::committed), "committed");
    EXPECT_EQ(name_of(happened::Outcome::unknown), "unknown");
}

} // namespace
} // namespace outbox::relay
