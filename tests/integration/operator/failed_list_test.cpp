// outbox-relay failed, as one types it.
#include "fixture.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace outbox::relays {
namespace {

class FailedList : public Operator {
protected:
    void insert_failed(int events, const std::string& event_topic, const std::string& type,
                       const std::string& message, const std::string& at = "now()") {
        database.query(fmt::format(
            "INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, event_data, topic, status, "
            "error_message, processed_at) SELECT 'user', n::text, {}, '{{}}', {}, 'FAILED', {}, {} FROM "
            "generate_series(1, {}) AS n",
            type, event_topic, message, at, events));
    }
    std::string list(Words words) {
        words.insert(words.begin(), "failed");
        const auto outcome = verb(words);
        EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
        EXPECT_THAT(outcome.errors, IsEmpty());
        return outcome.output;
    }
    nlohmann::json json(Words words) {
        words.emplace_back("--json");
        return nlohmann::json::parse(list(words));
    }
};

TEST_F(FailedList, CountsAHundredThousandByTopicAndMessageAndSaysWhatToType) {
    EXPECT_EQ(list({}), "no event is FAILED\n");
    insert_failed(100'000, "'orders'", "'order.placed'", "'the record takes ' || n || ' bytes'");
    insert_failed(3, "'orders'", "'order.' || n", "'the record is refused'", "'2026-01-31 08:00:00.5Z'");
    insert_failed(2, "'users'", "'user.created'", "'the record takes 7 bytes'");
    const auto text = list({});
    EXPECT_THAT(text, testing::StartsWith(
                          "100005 events are FAILED, by topic and message:\n\n100000 of topic orders,"));
    EXPECT_THAT(text, HasSubstr("outbox-relay retry --event-type 'order.placed' --failed-since '2"));
    EXPECT_THAT(text, HasSubstr("outbox-relay retry --failed-since '2026-01-31T08:00:00Z'"));
    EXPECT_EQ(json({"--topic", "users"})["failed"], 2);
    EXPECT_EQ(json({"--type", "order.2"})["failed"], 1);
    EXPECT_EQ(json({"--event-type", "order.2", "--topic", "users"})["failed"], 0);
    EXPECT_EQ(json({"--since", "yesterday"})["groups"], 2);
    EXPECT_EQ(json({"--since", "2026-01-01", "--topic", "orders"})["groups"], 2);
    EXPECT_EQ(json({"--since", "infinity"})["largest"], nlohmann::json::array());
    EXPECT_EQ(list({"--topic", "nobody's"}), "no event that these options choose is FAILED\n");
    const auto commands = json({"--type", "order.2"});
    const std::string example = commands["largest"][0]["example"];
    EXPECT_EQ(commands["largest"][0]["next"], "outbox-relay retry --id " + example);
    done({"retry", "--id", example});
    EXPECT_EQ(status(example), "NEW");
}

TEST_F(FailedList, ATimeThatIsNoneEndsWith2AndOneLine) {
    insert_failed(1, "'orders'", "'order.placed'", "'why'");
    for (const char* time : {"bogus", "", "2026-13-01", "99999999-01-01", "1", "now'; --"}) {
        const auto outcome = verb({"failed", fmt::format("--since={}", time)});
        EXPECT_EQ(outcome.exit_code, 2) << time;
        EXPECT_THAT(outcome.errors,
                    testing::StartsWith(fmt::format("outbox-relay: --since={} is not allowed", time)));
        EXPECT_EQ(std::count(outcome.errors.begin(), outcome.errors.end(), '\n'), 1) << outcome.errors;
        EXPECT_THAT(outcome.output, IsEmpty());
    }
    EXPECT_EQ(verb({"failed", "--type", "a", "--event-type", "b"}).exit_code, 2);
    EXPECT_EQ(verb({"failed", "now"}).exit_code, 2);
}

TEST_F(FailedList, WhateverAMessageHoldsTheTextStaysTextAndTheJsonJson) {
    insert_failed(1, "E'bad\ttopic'", "E'it''s \"x\"\n\x1b[31m'",
                  "E'a\x01\x1b[31m\"\\\\ \\U0001f600\nsecond line'");
    insert_failed(1, "'none'", "'t'", "NULL", "NULL");
    insert_failed(1, "'long'", "'t'", "repeat(E'\\u20ac', 100000)", "'infinity'");
    const auto text = list({});
    EXPECT_EQ(std::count_if(text.begin(), text.end(), [](char c) { return c > 0 && c < 0x20 && c != '\n'; }),
              0)
        << text;
    EXPECT_THAT(text, HasSubstr("  a  [31m\"\\ \U0001f600 second line\n"));
    EXPECT_THAT(text, HasSubstr("1 of topic none, - to -"));
    EXPECT_LT(text.size(), 6'000U);
    const auto all = json({});
    ASSERT_EQ(all["largest"].size(), 3U);
    const auto found = std::find_if(all["largest"].begin(), all["largest"].end(),
                                    [](const auto& group) { return group["topic"] == "bad\ttopic"; });
    ASSERT_NE(found, all["largest"].end());
    EXPECT_EQ((*found)["message"], "a\x01\x1b[31m\"\\ \U0001f600\nsecond line");
    EXPECT_EQ((*found)["event_type"], "it's \"x\"\n\x1b[31m");
}

TEST_F(FailedList, BytesWithoutAFormInUtf8AreShownAsQuestionMarks) {
    support::on_server("DROP DATABASE " + database.name());
    support::on_server(
        fmt::format("CREATE DATABASE {} ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
                    database.name()));
    database.migrate({"up"});
    insert_failed(2, "E'top\\xe9ic'", "E't\\xff'", "'why'");
    EXPECT_THAT(list({"--since", "yesterday"}), HasSubstr("2 of topic top?ic, "));
    EXPECT_EQ(json({})["largest"][0]["event_type"], "t?");
}

} // namespace
} // namespace outbox::relays
