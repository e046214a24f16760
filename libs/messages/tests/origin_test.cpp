#include <outbox/messages/headers.hpp>
#include <outbox/messages/origin.hpp>
#include <outbox/messages/record.hpp>

#include <gtest/gtest.h>

namespace outbox::messages {
namespace {

const Uuid id = Uuid::random();
const std::string other = Uuid::random().to_string();

/// What is read from a record as the format writes it, with these headers more.
Origin read_back(const std::string& format, const std::string& row_headers = {},
                 const std::vector<kafka::Header>& added = {}, const std::string& data = R"({"id": "u-1"})",
                 store::Value value = store::Value::json) {
    store::Row row;
    row.id = id;
    row.topic = "t";
    row.key = "k";
    row.event_type = "user.created";
    row.data = data;
    row.value = value;
    row.headers = row_headers;
    Arena arena;
    const auto encoder = make_encoder({format, "/outbox/x", false});
    auto record = make_record(*encoder, row, row.topic, 1'700'000'000'000, {}, arena);
    record.headers.insert(record.headers.end(), added.begin(), added.end());
    return origin_of(record.headers, record.value);
}

std::vector<kafka::Header> dead_letter_headers(std::string_view error_class = headers::error_class_here) {
    std::vector<kafka::Header> all;
    for (const auto name : headers::dead_letter) {
        all.push_back({name, name == headers::error_class ? error_class : "x"});
    }
    return all;
}

class OriginOf : public testing::TestWithParam<const char*> {};

TEST_P(OriginOf, ItsEventIsReadBack) {
    const Origin origin = read_back(GetParam());
    EXPECT_EQ(origin.event, id);
    EXPECT_FALSE(origin.dead_letter);
    EXPECT_FALSE(origin.replay);
}

TEST_P(OriginOf, ItsEventIsNotTheOneThatARowNames) {
    const auto forged = R"({"ce_id":")" + other + R"(","id":")" + other + R"(","outbox-original-id":")" +
                        other + R"(","content-type":"application/cloudevents+json"})";
    const Origin origin = read_back(GetParam(), forged);
    EXPECT_EQ(origin.event, id);
    EXPECT_FALSE(origin.replay);
}

TEST_P(OriginOf, AReplayAndADeadLetterAreTold) {
    const auto text = id.to_string();
    EXPECT_TRUE(
        read_back(GetParam(), {}, {{headers::replay_id, "run"}, {headers::original_id, text}}).replay);
    EXPECT_TRUE(read_back(GetParam(), {}, dead_letter_headers()).dead_letter);
    EXPECT_FALSE(read_back(GetParam(), {}, dead_letter_headers("another connector")).dead_letter);
}

TEST_P(OriginOf, ARowThatCarriesADeadLettersHeadersIsNoDeadLetter) {
    std::string copied = "{";
    for (const kafka::Header& header : dead_letter_headers()) {
        copied += (copied.size() > 1 ? ",\"" : "\"") + std::string(header.name) + "\":\"" +
                  std::string(header.value) + "\"";
    }
    copied += "}";
    const Origin origin = read_back(GetParam(), copied);
    EXPECT_EQ(origin.event, id);
    EXPECT_FALSE(origin.dead_letter);
    EXPECT_TRUE(read_back(GetParam(), copied, dead_letter_headers()).dead_letter) << "of one that died again";
}

TEST_P(OriginOf, ItsEventIsReadFromATombstoneAndFromBytes) {
    for (const auto value : {store::Value::none, store::Value::bytes}) {
        EXPECT_EQ(read_back(GetParam(), {}, {}, "", value).event, id);
    }
}

TEST_P(OriginOf, ItsEventIsReadWhateverItHolds) {
    const std::string deep = std::string(20'000, '[') + std::string(20'000, ']');
    for (const std::string& data : {std::string("1e400"), std::string(100'000, '7'),
                                    std::string(R"({"id":12345678901234567890123})"), deep}) {
        EXPECT_EQ(read_back(GetParam(), {}, {}, data).event, id) << data.substr(0, 40);
    }
}

INSTANTIATE_TEST_SUITE_P(Formats, OriginOf,
                         testing::Values("cloudevents", "cloudevents-structured", "debezium"),
                         [](const auto& format) {
                             std::string name = format.param;
                             std::erase(name, '-');
                             return name;
                         });

TEST(OriginOfRaw, IsUnknownUnlessItIsAReplay) {
    EXPECT_EQ(read_back("raw").event, std::nullopt);
    const auto text = id.to_string();
    const Origin replay = read_back("raw", {}, {{headers::replay_id, "run"}, {headers::original_id, text}});
    EXPECT_EQ(replay.event, id);
    EXPECT_TRUE(replay.replay);
}

TEST(OriginOfForeignRecords, IsUnknownWhereTheyNameNoUuid) {
    const auto read = [](std::string_view name, std::string_view header, std::string_view value) {
        const std::vector<kafka::Header> headers{{name, header}};
        return origin_of(headers, value).event;
    };
    EXPECT_EQ(read("ce_id", "A234-1234-1234", "{}"), std::nullopt);
    EXPECT_EQ(read("content-type", "application/cloudevents+json", R"({"id":7})"), std::nullopt);
    EXPECT_EQ(read("content-type", "application/cloudevents+json", R"({"id":)"), std::nullopt);
    EXPECT_EQ(read("content-type", "application/json", R"({"id":")" + other + R"("})"), std::nullopt);
    EXPECT_EQ(origin_of({}, {}).event, std::nullopt);
}

} // namespace
} // namespace outbox::messages
