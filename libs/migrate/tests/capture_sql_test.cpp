#include "../src/capture_sql.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox::migrations {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

const Columns debeziums{{"id", {"uuid", false}},
                        {"aggregatetype", {"character varying", false}},
                        {"aggregateid", {"character varying", false}},
                        {"type", {"character varying", false}},
                        {"payload", {"jsonb", false}}};

Mapping outbox() {
    return *mapping_from({{"name", "outbox"}});
}

std::string refusal(const Mapping& mapping, const Columns& columns) {
    const auto sql = capture_sql(mapping, columns);
    return sql ? "it was not refused" : sql.error().why;
}

TEST(CaptureSql, TakesDebeziumsColumnsAsTheyAre) {
    const auto sql = capture_sql(outbox(), debeziums);
    ASSERT_TRUE(sql);
    EXPECT_EQ(sql->targets, "id, aggregate_type, aggregate_id, event_type, event_data, topic");
    EXPECT_EQ(sql->values,
              R"(n."id", n."aggregatetype"::text, n."aggregateid"::text, n."type"::text, n."payload", )"
              R"('outbox.event.' || n."aggregatetype"::text)");
    EXPECT_THAT(sql->notices, IsEmpty());
}

TEST(CaptureSql, ConvertsAndSaysWhatInsertsMustKeep) {
    Columns columns = debeziums;
    columns["id"] = {"text", false};
    columns["payload"] = {"json", true};
    columns["at"] = {"timestamp without time zone", true};
    Mapping mapping = outbox();
    mapping.created_at = "at";
    const auto sql = capture_sql(mapping, columns);
    ASSERT_TRUE(sql);
    EXPECT_THAT(sql->values, HasSubstr(R"(n."id"::text::uuid)"));
    EXPECT_THAT(sql->values, HasSubstr(R"(n."payload"::text::jsonb)"));
    EXPECT_THAT(sql->values, HasSubstr(R"(coalesce(n."at" AT TIME ZONE 'UTC', CURRENT_TIMESTAMP))"));
    EXPECT_THAT(sql->notices,
                ElementsAre(HasSubstr("\"id\" is text"), HasSubstr("\"payload\" may hold NULL")));
}

TEST(CaptureSql, NamesEachTextThatMayBeLongerThanAnEventsColumns) {
    Columns columns = debeziums;
    for (const char* name : {"aggregateid", "type", "payload", "kind", "dest", "key"}) {
        columns[name] = {name == std::string_view("payload") ? "bytea" : "text", false, false, true};
    }
    Mapping mapping = outbox();
    mapping.content_type = "kind";
    mapping.partition_key = "key";
    mapping.topic = {{.text = "dest", .column = true}};
    const auto sql = capture_sql(mapping, columns);
    ASSERT_TRUE(sql);
    const auto of = [](const std::string& name) {
        return HasSubstr("column \"" + name +
                         "\" is text: an insert will be refused when it holds more than 255");
    };
    EXPECT_THAT(sql->notices,
                UnorderedElementsAre(of("aggregateid"), of("type"), of("kind"), of("dest"), of("key")));
}

TEST(CaptureSql, TakesBytesOfTheTypeThatIsNamedAndNullAsATombstone) {
    Columns columns = debeziums;
    columns["payload"] = {"bytea", true};
    columns["kind"] = {"text", true};
    Mapping mapping = outbox();
    mapping.content_type = "application/avro";
    const auto sql = capture_sql(mapping, columns);
    ASSERT_TRUE(sql);
    EXPECT_EQ(sql->targets,
              "id, aggregate_type, aggregate_id, event_type, event_data, topic, payload, content_type,"
              " tombstone");
    EXPECT_THAT(sql->values,
                HasSubstr(R"(, n."payload", CASE WHEN n."payload" IS NOT NULL THEN 'application/avro' END,)"
                          R"( CASE WHEN n."payload" IS NULL THEN true END)"));
    mapping.content_type = "kind";
    EXPECT_THAT(capture_sql(mapping, columns)->values, HasSubstr(R"(THEN n."kind"::text END)"));
    columns["payload"] = {"json", false};
    EXPECT_THAT(capture_sql(mapping, columns)->values, HasSubstr(R"(convert_to(n."payload"::text, 'UTF8'))"));
    mapping.content_type = "nowhere";
    EXPECT_THAT(refusal(mapping, columns), HasSubstr("has no column \"nowhere\""));
    columns["payload"] = {"integer", false};
    EXPECT_THAT(refusal(mapping, columns),
                HasSubstr("is integer, and it must be bytea, json, jsonb or text"));
}

TEST(CaptureSql, PinsTheSettingsOnlyWhereTextsFollowThem) {
    EXPECT_FALSE(capture_sql(outbox(), debeziums)->pinned);
    for (const char* type : {"date", "interval", "double precision", "money", "bytea[]", "some.type"}) {
        Columns columns = debeziums;
        columns["aggregateid"] = {type, false};
        EXPECT_TRUE(capture_sql(outbox(), columns)->pinned) << type;
    }
    for (const char* type : {"uuid", "bigint", "numeric", "character", "text"}) {
        Columns columns = debeziums;
        columns["aggregateid"] = {type, false};
        EXPECT_FALSE(capture_sql(outbox(), columns)->pinned) << type;
    }
}

TEST(CaptureSql, KeepsTheBlanksOfAKeyThatDebeziumWroteWithThem) {
    Columns columns = debeziums;
    columns["aggregateid"] = {"character", false};
    EXPECT_THAT(capture_sql(outbox(), columns)->values, HasSubstr(R"(, n."aggregateid"::text, )"));
    EXPECT_THAT(capture_sql(outbox(), columns, Blanks::kept)->values,
                HasSubstr(R"(concat(n."aggregateid"))"));
    EXPECT_EQ(key_unlike_debeziums(outbox(), columns), std::nullopt);
    columns["aggregateid"] = {"date", false};
    EXPECT_THAT(*key_unlike_debeziums(outbox(), columns), HasSubstr("\"aggregateid\" is date"));
}

TEST(CaptureSql, QuotesNamesSoThatTheyAreNamesWhateverTheyHold) {
    Columns columns = debeziums;
    columns["a\"; DROP TABLE x; --"] = {"jsonb", false};
    Mapping mapping = outbox();
    mapping.event_data = "a\"; DROP TABLE x; --";
    EXPECT_THAT(capture_sql(mapping, columns)->values, HasSubstr(R"(n."a""; DROP TABLE x; --")"));
    EXPECT_EQ(literal("it's"), "'it''s'");
    EXPECT_EQ(literal("a\\'"), " E'a\\\\'''");
}

TEST(CaptureSql, RefusesWhatMakesNoEventByItsName) {
    for (const auto& [column, type] : {std::pair("payload", "bytea"),
                                       {"payload", "integer"},
                                       {"id", "bigint"},
                                       {"aggregateid", "bytea"}}) {
        Columns columns = debeziums;
        columns[column] = {type, false};
        EXPECT_THAT(refusal(outbox(), columns), HasSubstr(std::string("\"") + column + "\"")) << type;
        EXPECT_THAT(refusal(outbox(), columns), HasSubstr(std::string("is ") + type));
    }
    Mapping mapping = outbox();
    mapping.headers = "nowhere";
    EXPECT_THAT(refusal(mapping, debeziums), HasSubstr("has no column \"nowhere\""));
    mapping = outbox();
    mapping.topic = {{"nowhere", true}};
    EXPECT_THAT(refusal(mapping, debeziums), HasSubstr("has no column \"nowhere\""));
}

TEST(CaptureSql, RefusesAVirtualColumnThatTriggersReadAsNull) {
    Columns columns = debeziums;
    columns["payload"].is_virtual = true;
    EXPECT_THAT(refusal(outbox(), columns), HasSubstr("column \"payload\" is a virtual generated column"));
}

} // namespace
} // namespace outbox::migrations
