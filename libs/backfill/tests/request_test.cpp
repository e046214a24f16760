#include <outbox/backfill/request.hpp>
#include <outbox/core/error.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outbox::backfill {
namespace {

const char* nothing(const char*) {
    return nullptr;
}

Request request_of(std::map<std::string, std::string> options, std::vector<std::string> words = {},
                   const ConfigFile& file = {}) {
    Arguments arguments;
    arguments.settings = Settings::load(Program::backfill, {}, nothing, file);
    arguments.options = std::move(options);
    arguments.words = std::move(words);
    verb_of(command_line(), arguments);
    return parse_request(arguments);
}

TEST(Request, SaysTheSelectionAgainInAFixedOrder) {
    const auto request =
        request_of({{"topic", "t"}, {"limit", "5"}, {"event-type", "it's"}, {"status", "failed, SENT,"}});
    EXPECT_EQ(request.selection.text, "--event-type='it'\\''s' --status=FAILED,SENT --limit=5");
    EXPECT_EQ(request.target.text,
              "--topic=t --format=cloudevents --partition-strategy=hash --timestamp=now");
}

TEST(Request, TakesDeliveredEventsAndAMinuteOfLagWhenNothingIsSaid) {
    const auto request = request_of({{"topic", "t"}});
    EXPECT_EQ(request.selection.filter.statuses, std::vector<std::string>{"SENT"});
    EXPECT_EQ(request.max_lag, milliseconds(60'000));
    EXPECT_FALSE(request.rate);
}

TEST(Request, IntoTheOriginalTopicNeedsYesUnlessItIsDry) {
    EXPECT_THROW(request_of({}), UsageError);
    EXPECT_NO_THROW(request_of({{"yes", ""}}));
    EXPECT_NO_THROW(request_of({{"dry-run", ""}}));
}

TEST(Request, TakesFormatTopicAndStrategiesFromTheRelaysSettings) {
    const ConfigFile file{{{"RELAY_FORMAT", "debezium"},
                           {"RELAY_DEBEZIUM_EVENT_TYPE", "on"},
                           {"RELAY_TOPIC_TEMPLATE", "outbox.event.${aggregate_type}"},
                           {"RELAY_PARTITION_STRATEGY", "round-robin"}},
                          {{"PARTITION_STRATEGIES", {{"user.created", "field:/id"}}}}};
    const auto request = request_of({{"yes", ""}}, {}, file);
    EXPECT_EQ(request.target.text, "--relay-topic-template='outbox.event.${aggregate_type}' --format=debezium"
                                   " --relay-debezium-event-type=on --partition-strategy=round-robin"
                                   " --partition_strategies.user.created=field:/id --timestamp=now");
    EXPECT_THAT(request.target.messages.strategy->order_caveat(), testing::HasSubstr("user.created: "));
}

TEST(Request, OptionsWinOverTheRelaysSettings) {
    const ConfigFile file{{{"RELAY_FORMAT", "debezium"}, {"RELAY_TOPIC_TEMPLATE", "outbox.event"}},
                          {{"PARTITION_STRATEGIES", {{"user.created", "round-robin"}}}}};
    const auto target =
        request_of({{"topic", "t"}, {"format", "raw"}, {"partition-strategy", "hash"}}, {}, file).target;
    EXPECT_EQ(target.text, "--topic=t --format=raw --partition-strategy=hash --timestamp=now");
    EXPECT_EQ(target.messages.strategy->order_caveat(), "");
}

TEST(Request, AReplicaMayHaveAPortAndAnIPv6Address) {
    const auto host_of = [](const std::string& text) {
        const auto at = request_of({{"topic", "t"}, {"read-host", text}}).read_host.value();
        return at.host + " " + at.port.value_or("of the primary");
    };
    EXPECT_EQ(host_of("replica"), "replica of the primary");
    EXPECT_EQ(host_of("replica:5433"), "replica 5433");
    EXPECT_EQ(host_of("::1"), "::1 of the primary");
    EXPECT_EQ(host_of("[::1]"), "::1 of the primary");
    EXPECT_EQ(host_of("[::1]:5432"), "::1 5432");
    for (const char* bad : {":5432", "replica:", "replica:post", "replica:0", "replica:65536", "[::1", "[]",
                            "[::1]:", "[::1]5432", "[::1]x:5432"}) {
        EXPECT_THROW(host_of(bad), UsageError) << bad;
    }
}

TEST(Request, KnowsItsVerbs) {
    EXPECT_EQ(request_of({}, {"list"}).verb, Verb::list);
    EXPECT_EQ(request_of({}, {"show", "a"}).run, "a");
    EXPECT_EQ(request_of({}, {"cancel", "a"}).verb, Verb::cancel);
    EXPECT_THROW(request_of({}, {"cancel"}), UsageError);
    EXPECT_THROW(request_of({{"yes", ""}}, {"list"}), UsageError);
}

TEST(Request, ConditionsCarryTheirParametersInOrder) {
    auto filter =
        request_of({{"topic", "t"}, {"aggregate-type", "user"}, {"until", "2026-01-01"}}).selection.filter;
    filter.done_by = "2026-02-02";
    const auto condition = store::condition(filter, 10, 20);
    EXPECT_EQ(condition.sql, "NOT o.unsent AND o.seq > $1 AND o.seq <= $2 AND o.status = ANY ($3::text[])"
                             " AND (o.processed_at IS NULL OR o.processed_at <= $4::timestamptz)"
                             " AND o.aggregate_type = $5 AND o.created_at < $6::timestamptz");
    ASSERT_EQ(condition.params.size(), 6U);
    EXPECT_EQ(condition.params[4].text(), "user");
}

} // namespace
} // namespace outbox::backfill
