// An outbox_events that stood there with `event_data json`, which keeps a text as it was written and has no
// equality, where ours is jsonb.
#include <outbox/support/relays.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <set>

namespace outbox::relays {
namespace {

using testing::HasSubstr;

constexpr auto written = R"({ "region" : "eu",  "price": 1.50, "exact": 12345678901234567890123.10,
  "twice": 1, "twice": 2, "name": "Zo\u00eb \"Z\"" })";

class JsonColumn : public Relays, public testing::WithParamInterface<const char*> {
protected:
    void SetUp() override {
        database.query("DROP SCHEMA public CASCADE");
        database.query("CREATE SCHEMA public");
        database.query(
            "CREATE TABLE outbox_events (id uuid PRIMARY KEY, aggregate_type varchar(255) NOT NULL, "
            "aggregate_id"
            " varchar(255) NOT NULL, event_type varchar(255) NOT NULL, event_data json NOT NULL, status"
            " varchar(50) DEFAULT 'NEW', topic varchar(255) NOT NULL, partition_key varchar(255), created_at"
            " timestamptz DEFAULT now(), processed_at timestamptz, retry_count integer DEFAULT 0, max_retries"
            " integer DEFAULT 3, error_message text)");
        write(6);
        const auto up = program("outbox-migrate", {"up", "--set=outbox"});
        ASSERT_EQ(up.exit_code, 0) << up.errors;
        ASSERT_EQ(database.value("SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid ="
                                 " 'outbox_events'::regclass AND attname = 'event_data'"),
                  "json");
        create_topic(topic, 3);
    }

    /// Events of three keys.
    void write(int events) {
        for (int i = 0; i < events; ++i) {
            database.query(
                "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, "
                "topic) VALUES (gen_random_uuid(), 'order', $1, 'order.placed', $2::json, $3)",
                {fmt::format("o-{}", i % 3), written, topic});
        }
    }

    support::Outcome program(const std::string& name, const std::vector<std::string>& words,
                             const Variables& changes = {}) {
        support::Command command{{support::program(name)}, environment(changes)};
        command.words.insert(command.words.end(), words.begin(), words.end());
        return support::run(command, 60s);
    }

    /// What the message says of the event, as it was written.
    static void expect_written(const Message& message) {
        const bool whole_event = std::string_view(GetParam()) == "cloudevents-structured";
        if (whole_event) {
            EXPECT_THAT(message.value, HasSubstr(std::string(R"("data":)") + written));
            EXPECT_TRUE(nlohmann::json::accept(message.value)) << message.value;
        } else {
            EXPECT_EQ(message.value, written);
        }
    }
};

TEST_P(JsonColumn, IsSentAsItWasWrittenAndReplayedFromAnArchive) {
    const Variables settings{{"RELAY_FORMAT", GetParam()},
                             {"RELAY_TOPIC_TEMPLATE", "${topic}"},
                             {"RELAY_PARTITION_STRATEGY", "field:/region"}};
    write(6);
    // A mapper of objects saves what it has read; who changes what an event says is refused by its name.
    database.query("UPDATE outbox_events SET event_data = event_data, topic = topic");
    EXPECT_THROW(database.query("UPDATE outbox_events SET event_data = '{}'"), std::exception);
    Process relay = ready_relay(settings);
    database.query("SELECT outbox_add('order', 'o-1', 'order.placed', $1::jsonb, $2)",
                   {"{\"added\": 1}", topic});
    const auto gone = database.value(
        "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type, event_data, topic, "
        "tombstone)"
        " VALUES (gen_random_uuid(), 'order', 'o-9', 'order.gone', 'null', $1, true) RETURNING id",
        {topic});
    ASSERT_TRUE(wait_sent(gone)) << relay.errors();
    ASSERT_TRUE(wait_until([&] { return count("status = 'SENT'") == 14; }, 60s)) << relay.errors();
    EXPECT_EQ(stop(relay).exit_code, 0);
    int events = 0;
    std::set<std::int32_t> partitions;
    for (const Message& message : read_topic(topic)) {
        if (message.value.find("region") != std::string::npos) {
            expect_written(message);
            partitions.insert(message.partition);
            ++events;
        }
    }
    EXPECT_EQ(events, 12);
    EXPECT_EQ(partitions.size(), 1U) << "field:/region is read";

    database.query("CREATE TABLE retired (LIKE outbox_events)");
    database.query("WITH gone AS (DELETE FROM outbox_events WHERE aggregate_id = 'o-1' RETURNING *)"
                   " INSERT INTO retired SELECT * FROM gone");
    database.query("ALTER TABLE retired ALTER event_data TYPE jsonb");
    const auto replay = topic + "-replay";
    const auto done = program("outbox-backfill", {"--topic", replay, "--archive", "retired"}, settings);
    EXPECT_EQ(done.exit_code, 0) << done.errors;
    EXPECT_THAT(done.output, HasSubstr("14 events published"));
    EXPECT_EQ(read_topic(replay).size(), 14U);
}

INSTANTIATE_TEST_SUITE_P(Formats, JsonColumn,
                         testing::Values("cloudevents", "cloudevents-structured", "debezium", "raw"),
                         [](const auto& format) {
                             std::string name = format.param;
                             std::replace(name.begin(), name.end(), '-', '_');
                             return name;
                         });

} // namespace
} // namespace outbox::relays
