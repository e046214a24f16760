#include <outbox/messages/record.hpp>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace outbox::messages {
namespace {

constexpr std::int64_t now = 1'700'000'000'000;
constexpr std::int64_t hour = 3'600'000;
constexpr std::int64_t for_ever = INT64_MAX;
constexpr auto id = "0190163d-8694-739b-aea5-966c26f8ad91";

using Headers = std::vector<std::pair<std::string, std::string>>;

Headers headers_of(const kafka::Record& record) {
    Headers headers;
    for (const auto& [name, value] : record.headers) {
        headers.emplace_back(name, value);
    }
    return headers;
}

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
    row.id = *Uuid::parse(id);
    row.created_at_us = 1'600'000'000'123'456;
    row.topic = "t";
    row.key = "k";
    row.aggregate_type = "user";
    row.aggregate_id = "a-1";
    row.event_type = "user.created";
    row.data = R"({"n": 1.50, "name": "\u0001é"})";
    return row;
}

/// Records of one format, with the memory that they point into.
class Format {
public:
    explicit Format(const std::string& name, bool event_type_header = false)
        : encoder_(make_encoder({name, "/outbox/x", event_type_header})) {}

    kafka::Record record(const store::Row& row, std::int64_t before_ms = for_ever,
                         std::int64_t kept_ms = for_ever) {
        kafka::TopicLimits limits;
        limits.kept_ms = kept_ms;
        limits.timestamp_before_max_ms = before_ms;
        limits.timestamp_after_max_ms = hour;
        return make_record(*encoder_, row, row.topic, now, limits, arena_);
    }

private:
    std::unique_ptr<const RecordEncoder> encoder_;
    Arena arena_;
};

TEST(Record, CloudEventsInBinaryMode) {
    Format format("cloudevents");
    const store::Row row = sample();
    const auto record = format.record(row);
    const Headers wanted{{"ce_specversion", "1.0"},
                         {"ce_id", id},
                         {"ce_source", "/outbox/x"},
                         {"ce_type", "user.created"},
                         {"ce_time", "2020-09-13T12:26:40.123456Z"},
                         {"ce_subject", "a-1"},
                         {"ce_partitionkey", "k"},
                         {"content-type", "application/json"}};
    EXPECT_EQ(headers_of(record), wanted);
    EXPECT_EQ(record.topic, "t");
    EXPECT_EQ(record.key, "k");
    EXPECT_EQ(record.value.data(), row.data.data()) << "not copied";
    EXPECT_EQ(record.timestamp_ms, 1'600'000'000'123);
}

TEST(Record, CloudEventsInStructuredMode) {
    Format format("cloudevents-structured");
    store::Row row = sample();
    row.aggregate_id = "a \"quoted\\\"\n\x01 é";
    const auto record = format.record(row);
    EXPECT_EQ(headers_of(record), (Headers{{"content-type", "application/cloudevents+json; charset=UTF-8"}}));
    EXPECT_EQ(record.key, "k");
    EXPECT_EQ(record.value,
              R"({"specversion":"1.0","id":"0190163d-8694-739b-aea5-966c26f8ad91",)"
              R"("source":"/outbox/x","type":"user.created","time":"2020-09-13T12:26:40.123456Z",)"
              R"("subject":"a \"quoted\\\"\n\u0001 é","partitionkey":"k",)"
              R"("datacontenttype":"application/json","data":{"n": 1.50, "name": "\u0001é"}})");
    EXPECT_EQ(nlohmann::json::parse(record.value)["subject"], row.aggregate_id);
}

TEST(Record, AsDebeziumsRouterWritesIt) {
    Format format("debezium");
    const store::Row row = sample();
    const auto record = format.record(row);
    EXPECT_EQ(headers_of(record), (Headers{{"id", id}}));
    EXPECT_EQ(record.key, "a-1");
    EXPECT_EQ(record.value, row.data);
    Format with_type("debezium", true);
    EXPECT_EQ(headers_of(with_type.record(row)), (Headers{{"id", id}, {"eventType", "user.created"}}));
}

TEST(Record, Raw) {
    Format format("raw");
    const store::Row row = sample();
    const auto record = format.record(row);
    EXPECT_EQ(headers_of(record), Headers{});
    EXPECT_EQ(record.key, "k");
    EXPECT_EQ(record.value, row.data);
    EXPECT_EQ(record.timestamp_ms, 1'600'000'000'123);
}

TEST(Record, TakesTheRowsHeadersInEveryFormatButNotItsClaimToBeAnother) {
    store::Row row = sample();
    row.headers =
        R"({"traceparent":"00-1-2-01","ce_id":"forged","id":"forged","content-type":"x","n":5,"gone":null})";
    for (const char* name : {"cloudevents", "cloudevents-structured", "debezium", "raw"}) {
        Format format(name);
        const auto record = format.record(row);
        EXPECT_EQ(header(record, "traceparent"), "00-1-2-01") << name;
        EXPECT_EQ(header(record, "n"), "5") << name;
        EXPECT_EQ(header(record, "gone"), "(none)") << name;
    }
    Format binary("cloudevents");
    EXPECT_EQ(header(binary.record(row), "ce_id"), id);
    EXPECT_EQ(header(binary.record(row), "content-type"), "application/json");
    Format structured("cloudevents-structured");
    EXPECT_EQ(header(structured.record(row), "ce_id"), "(none)");
    Format debezium("debezium");
    EXPECT_EQ(header(debezium.record(row), "id"), id);
}

TEST(Record, TheRowsHeadersArriveAsTheyWereWritten) {
    const std::string digits = "1" + std::string(400, '0'); // as jsonb keeps 1e400
    store::Row row = sample();
    const std::string text = R"({"traceparent":"00-1-2-01","big":)" + digits +
                             R"(,"id23":12345678901234567890123,"dec":0.1000,"neg":-0,"exp":1e400,"on":true,)"
                             R"("s":"\"\u0001é\\","o":{"n": 1e400, "deep": [1, {"a": []}, "x\"y"], "e": {}},)"
                             R"("l":[0.10, null, [true]]})";
    row.headers = text;
    for (const char* name : {"cloudevents", "cloudevents-structured", "debezium", "raw"}) {
        Format format(name);
        const auto record = format.record(row);
        EXPECT_EQ(header(record, "traceparent"), "00-1-2-01") << name;
        EXPECT_EQ(header(record, "big"), digits);
        EXPECT_EQ(header(record, "id23"), "12345678901234567890123");
        EXPECT_EQ(header(record, "dec"), "0.1000");
        EXPECT_EQ(header(record, "neg"), "-0");
        EXPECT_EQ(header(record, "exp"), "1e400");
        EXPECT_EQ(header(record, "on"), "true");
        EXPECT_EQ(header(record, "s"), "\"\u0001é\\");
        EXPECT_EQ(header(record, "o"), R"({"n": 1e400, "deep": [1, {"a": []}, "x\"y"], "e": {}})");
        EXPECT_EQ(header(record, "l"), "[0.10, null, [true]]");
    }
}

TEST(Record, ANameOfTheFormatIsNotTakenInAnyCase) {
    store::Row row = sample();
    row.headers =
        R"({"CE_ID":"forged","Content-Type":"x","ID":"forged","eventtype":"x","Ce_Extension":"kept"})";
    Format binary("cloudevents");
    const auto record = binary.record(row);
    for (const char* name : {"CE_ID", "Content-Type"}) {
        EXPECT_EQ(header(record, name), "(none)") << name;
    }
    EXPECT_EQ(header(record, "Ce_Extension"), "kept");
    Format structured("cloudevents-structured");
    EXPECT_EQ(header(structured.record(row), "Content-Type"), "(none)");
    Format debezium("debezium");
    EXPECT_EQ(header(debezium.record(row), "ID"), "(none)");
    EXPECT_EQ(header(debezium.record(row), "eventtype"), "(none)");
    Format raw("raw");
    EXPECT_EQ(header(raw.record(row), "Content-Type"), "x");
}

TEST(Record, HeadersThatCannotBeReadFailTheEventAndDoNotVanish) {
    store::Row row = sample();
    const std::string deep =
        R"({"traceparent":"00-1-2-01","x":)" + std::string(20'000, '[') + std::string(20'000, ']') + "}";
    for (const std::string& headers : {deep, std::string("[1]"), std::string("{"), std::string("1")}) {
        row.headers = headers;
        for (const char* name : {"cloudevents", "cloudevents-structured", "debezium", "raw"}) {
            Format format(name);
            EXPECT_THROW(format.record(row), Unencodable) << name;
        }
    }
    row.headers = "null";
    EXPECT_EQ(headers_of(Format("raw").record(row)), Headers{});
}

store::Row bytes_row(std::string_view bytes, std::string_view type) {
    store::Row row = sample();
    row.value = store::Value::bytes;
    row.data = bytes;
    row.content_type = type;
    return row;
}

TEST(Record, APayloadIsSentByteForByteWhereAFormatCan) {
    using namespace std::string_view_literals;
    const std::string_view bytes = "\0\x01\xff avro"sv;
    store::Row row = bytes_row(bytes, "application/avro");
    row.headers = R"({"Content-Type":"forged"})";
    for (const char* name : {"cloudevents", "debezium", "raw"}) {
        Format format(name);
        const auto record = format.record(row);
        EXPECT_EQ(record.value, bytes) << name;
        EXPECT_FALSE(record.tombstone) << name;
        EXPECT_EQ(header(record, "content-type"), "application/avro") << name;
        EXPECT_EQ(header(record, "Content-Type"), "(none)") << name;
    }
    row.content_type = {};
    row.headers = {};
    EXPECT_EQ(header(Format("cloudevents").record(row), "content-type"), "application/octet-stream");
    EXPECT_EQ(headers_of(Format("debezium").record(row)), (Headers{{"id", id}}))
        << "as Debezium's router writes it";
    EXPECT_EQ(headers_of(Format("raw").record(row)), Headers{});
}

TEST(Record, APayloadStandsInAnEnvelopeAsBase64) {
    Format structured("cloudevents-structured");
    const std::vector<std::pair<std::string, std::string>> vectors{
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xfb\xff", "+/8="}};
    for (const auto& [bytes, base64] : vectors) {
        const store::Row row = bytes_row(bytes, "text/x; a=\"b\"");
        const std::string value(structured.record(row).value);
        const auto envelope = nlohmann::json::parse(value);
        EXPECT_EQ(envelope["data_base64"], base64);
        EXPECT_EQ(envelope["datacontenttype"], "text/x; a=\"b\"");
        EXPECT_FALSE(envelope.contains("data")) << value;
        EXPECT_EQ(envelope["subject"], "a-1");
    }
}

TEST(Record, ATombstoneHasAKeyAndNoValueInEveryFormat) {
    store::Row row = sample();
    row.value = store::Value::none;
    row.data = {};
    for (const char* name : {"cloudevents", "cloudevents-structured", "debezium", "raw"}) {
        Format format(name);
        const auto record = format.record(row);
        EXPECT_TRUE(record.tombstone) << name;
        EXPECT_EQ(record.value, "") << name;
        EXPECT_EQ(record.key, std::string(name) == "debezium" ? "a-1" : "k");
        EXPECT_EQ(header(record, "content-type"), "(none)") << name;
    }
    for (const char* name : {"cloudevents", "cloudevents-structured"}) {
        EXPECT_EQ(header(Format(name).record(row), "ce_id"), id) << "in binary mode, which can say it";
    }
}

TEST(Record, ItsTimestampIsClampedToWhatTheBrokerAccepts) {
    Format format("cloudevents");
    store::Row row = sample();
    row.created_at_us.reset();
    EXPECT_EQ(format.record(row).timestamp_ms, now);
    row.created_at_us = INT64_MAX; // infinity
    const auto late = format.record(row).timestamp_ms;
    EXPECT_GT(late, now);
    EXPECT_LE(late, now + hour);
    row.created_at_us = INT64_MIN;
    EXPECT_EQ(format.record(row).timestamp_ms, 1);
    EXPECT_GE(format.record(row, hour).timestamp_ms, now - hour);
}

constexpr std::int64_t day = 24 * hour;

kafka::TopicLimits kept_for(std::int64_t ms) {
    kafka::TopicLimits limits;
    limits.kept_ms = ms;
    return limits;
}

TEST(Stamp, IsTheTimeOfSendingWhenTheTopicWouldDeleteTheRecordWithinADay) {
    const auto kept = kept_for(7 * day);
    EXPECT_EQ(stamp_for(now - 6 * day, now, kept).ms, now - 6 * day);
    EXPECT_FALSE(stamp_for(now - 6 * day, now, kept).outlived);
    EXPECT_EQ(stamp_for(now - 6 * day - 1, now, kept).ms, now);
    EXPECT_TRUE(stamp_for(now - 6 * day - 1, now, kept).outlived);
    EXPECT_TRUE(stamp_for(now - 8 * day, now, kept).outlived);
    EXPECT_TRUE(stamp_for(INT64_MIN / 1000, now, kept).outlived) << "-infinity";
    EXPECT_FALSE(stamp_for(INT64_MAX / 1000, now, kept).outlived) << "infinity";
    EXPECT_FALSE(stamp_for(1, now, kept_for(for_ever)).outlived);
}

TEST(Stamp, LeavesHalfOfAShortRetentionToReadIt) {
    EXPECT_FALSE(stamp_for(now - hour / 2, now, kept_for(hour)).outlived);
    EXPECT_TRUE(stamp_for(now - hour / 2 - 1, now, kept_for(hour)).outlived);
    EXPECT_FALSE(stamp_for(now, now, kept_for(0)).outlived);
    EXPECT_TRUE(stamp_for(now - 1, now, kept_for(0)).outlived);
}

TEST(Stamp, ThatWasMovedToWhatTheTopicAcceptsIsMovedOnWhenTheTopicWouldDeleteIt) {
    auto limits = kept_for(hour);
    limits.timestamp_before_max_ms = 2 * hour;
    EXPECT_EQ(stamp_for(now - 3 * hour, now, limits).ms, now);
    limits.kept_ms = 4 * day;
    EXPECT_EQ(stamp_for(now - 3 * hour, now, limits).ms, now - 2 * hour + 1'000);
}

TEST(Record, WhoseTimestampIsAnotherSaysInEveryFormatWhenItsEventHappened) {
    store::Row row = sample();
    Format debezium("debezium");
    Format raw("raw");
    Format cloudevents("cloudevents");
    Format structured("cloudevents-structured");
    for (Format* format : {&debezium, &raw}) {
        EXPECT_EQ(header(format->record(row, for_ever, 7 * day), "outbox-created-at"),
                  "2020-09-13T12:26:40.123456Z");
        EXPECT_EQ(header(format->record(row), "outbox-created-at"), "(none)") << "its timestamp says it";
    }
    EXPECT_EQ(header(cloudevents.record(row, for_ever, 7 * day), "ce_time"), "2020-09-13T12:26:40.123456Z");
    EXPECT_EQ(header(cloudevents.record(row, for_ever, 7 * day), "outbox-created-at"), "(none)");
    EXPECT_EQ(header(structured.record(row, for_ever, 7 * day), "outbox-created-at"), "(none)");
    row.created_at_us.reset();
    EXPECT_EQ(header(raw.record(row, for_ever, 0), "outbox-created-at"), "(none)");
}

TEST(Record, ItsTimeIsRightInEveryYearThatHasFourDigits) {
    Format format("cloudevents");
    store::Row row = sample();
    const auto time_of = [&](std::int64_t microseconds) {
        row.created_at_us = microseconds;
        return header(format.record(row), "ce_time");
    };
    EXPECT_EQ(time_of(0), "1970-01-01T00:00:00.000000Z");
    EXPECT_EQ(time_of(-1), "1969-12-31T23:59:59.999999Z");
    EXPECT_EQ(time_of(951'782'400'000'001), "2000-02-29T00:00:00.000001Z");
    EXPECT_EQ(time_of(249'999'999'999'999'999), "9892-03-08T12:26:39.999999Z");
    EXPECT_EQ(time_of(-61'999'999'999'999'999), "0005-04-19T09:46:40.000001Z");
}

} // namespace
} // namespace outbox::messages
