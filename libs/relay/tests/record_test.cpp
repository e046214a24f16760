#include <outbox/relay/batch.hpp>

#include <gtest/gtest.h>

namespace outbox::relay {
namespace {

constexpr std::int64_t now = 1'700'000'000'000;
constexpr std::int64_t hour = 3'600'000;
constexpr std::int64_t for_ever = INT64_MAX;

std::string header(const kafka::Record& record, std::string_view name) {
    for (const auto& header : record.headers) {
        if (header.name == name) {
            return std::string(header.value);
        }
    }
    return "(none)";
}

store::Row sample() {
    store::Row row;
    row.id = *Uuid::parse("0190163d-8694-739b-aea5-966c26f8ad91");
    row.topic = "t";
    row.key = "k";
    row.aggregate_id = "a-1";
    row.event_type = "user.created";
    row.data = "{}";
    return row;
}

TEST(Record, CarriesCloudEventsInBinaryMode) {
    Batch batch;
    store::Row row = sample();
    row.created_at_us = 1'600'000'000'123'456;
    const auto record = make_record(batch, row, "/outbox/x", now, for_ever, hour);
    EXPECT_EQ(header(record, "ce_specversion"), "1.0");
    EXPECT_EQ(header(record, "ce_id"), "0190163d-8694-739b-aea5-966c26f8ad91");
    EXPECT_EQ(header(record, "ce_source"), "/outbox/x");
    EXPECT_EQ(header(record, "ce_type"), "user.created");
    EXPECT_EQ(header(record, "ce_time"), "2020-09-13T12:26:40.123456Z");
    EXPECT_EQ(header(record, "ce_subject"), "a-1");
    EXPECT_EQ(header(record, "content-type"), "application/json");
    EXPECT_EQ(record.timestamp_ms, 1'600'000'000'123);
}

TEST(Record, TakesTheRowsHeadersButNotItsClaimToBeAnother) {
    Batch batch;
    store::Row row = sample();
    row.headers = R"({"traceparent":"00-1-2-01","ce_id":"forged","n":5,"gone":null})";
    const auto record = make_record(batch, row, "s", now, for_ever, hour);
    EXPECT_EQ(header(record, "traceparent"), "00-1-2-01");
    EXPECT_EQ(header(record, "n"), "5");
    EXPECT_EQ(header(record, "gone"), "(none)");
    EXPECT_EQ(header(record, "ce_id"), "0190163d-8694-739b-aea5-966c26f8ad91");
}

TEST(Record, ItsTimestampIsClampedToWhatTheBrokerAccepts) {
    Batch batch;
    store::Row row = sample();
    EXPECT_EQ(make_record(batch, row, "s", now, for_ever, hour).timestamp_ms, now);
    row.created_at_us = INT64_MAX; // infinity
    const auto late = make_record(batch, row, "s", now, for_ever, hour).timestamp_ms;
    EXPECT_GT(late, now);
    EXPECT_LE(late, now + hour);
    row.created_at_us = INT64_MIN;
    EXPECT_EQ(make_record(batch, row, "s", now, for_ever, hour).timestamp_ms, 1);
    EXPECT_GE(make_record(batch, row, "s", now, hour, hour).timestamp_ms, now - hour);
}

} // namespace
} // namespace outbox::relay
