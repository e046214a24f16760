#include "fixture.hpp"

#include <outbox/support/pgbouncer.hpp>

#include <fmt/format.h>

namespace outbox::relays {
namespace {

TEST_F(Backfill, WhatIsNotUnderstoodEndsWith2AndOneLine) {
    const std::vector<Words> mistakes{{"sideways"},
                                      {"list", "now"},
                                      {"show"},
                                      {"cancel"},
                                      {"show", "a", "b"},
                                      {"list", "--yes"},
                                      {"--topic", "no topic"},
                                      {"--topic="},
                                      {"--topic", "x", "--status", "NEW"},
                                      {"--topic", "x", "--status", "sent,,failed"},
                                      {"--topic", "x", "--since", "the day before"},
                                      {"--topic", "x", "--from-seq", "0"},
                                      {"--topic", "x", "--from-seq", "9", "--to-seq", "8"},
                                      {"--topic", "x", "--limit", "-1"},
                                      {"--topic", "x", "--ids", "/nowhere"},
                                      {"--topic", "x", "--rate", "fast"},
                                      {"--topic", "x", "--max-lag", "0"},
                                      {"--topic", "x", "--format", "xml"},
                                      {"--topic", "x", "--partition-strategy", "luck"},
                                      {"--topic", "x", "--timestamp", "then"},
                                      {"--topic", "x", "--relay-topic-template", "${user}"},
                                      {"--topic", "x", "--read-host", "[::1"},
                                      {"--topic", "x", "--run", "a/b"},
                                      {"--nonsense"}};
    for (const Words& words : mistakes) {
        failed(words, 2);
    }
    for (const char* own : {"backfill", "control"}) { // neither exists, and neither is made
        const auto name = fmt::format("outbox.{}.{}", database.name(), own);
        EXPECT_THAT(failed({"--topic", name}, 2), HasSubstr("it is this outbox's own"));
        EXPECT_NO_THROW(create_topic(name, 1));
        delete_topic(name);
    }
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_backfills"), 0);
}

TEST_F(Backfill, WhatCannotBeReachedIsSaidInOneLine) {
    fill(1);
    EXPECT_THAT(failed({"--topic", replays}, 1, {{"DB_PORT", "1"}}), HasSubstr("PostgreSQL"));
    EXPECT_THAT(failed({"--topic", replays}, 1, {{"KAFKA_BROKERS", "127.0.0.1:1"}}),
                HasSubstr("no Kafka broker"));
    EXPECT_THAT(failed({"--topic", replays}, 1, {{"KAFKA_CREATE_TOPICS", "off"}}),
                AllOf(HasSubstr("does not exist"), HasSubstr("kafka-topics.sh")));
    EXPECT_THAT(failed({"--topic", replays, "--aggregate-id", "nobody"}), HasSubstr("no event matches"));
    EXPECT_EQ(database.number("SELECT count(*) FROM outbox_backfills"), 0);
}

TEST_F(Backfill, APoolerIsNamedInOneLine) {
    const support::PgBouncer pooler;
    EXPECT_THAT(failed({"--topic", replays}, 1, pooler.variables()),
                HasSubstr("outbox-backfill: a connection pooler (such as PgBouncer)"));
}

} // namespace
} // namespace outbox::relays
