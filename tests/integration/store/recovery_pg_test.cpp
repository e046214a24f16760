// What a recovery does to the rows that manifests name, and what that costs in a large table.
#include "fixture.hpp"

#include <outbox/core/event.hpp>
#include <outbox/store/sql/effect.hpp>
#include <outbox/store/sql/shard.hpp>
#include <outbox/store/sql/strays.hpp>
#include <outbox/store/sql/turn.hpp>
#include <outbox/store/sql/waiting.hpp>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <string>
#include <utility>

namespace outbox::store {
namespace {

/// A table whose rows have moved so often that every page holds rows of any number.
class RecoveryInALargeTable : public StoreTest {
protected:
    static constexpr int old_events = 40'000;
    static constexpr int manifested = 1'000;

    RecoveryInALargeTable() {
        script(session_,
               fmt::format("CREATE EXTENSION IF NOT EXISTS pg_stat_statements;"
                           "INSERT INTO outbox_events (id, aggregate_type, aggregate_id, event_type,"
                           " event_data, topic) SELECT gen_random_uuid(), 'user', 'k' || i, 'user.created',"
                           " '{{}}', 't' FROM generate_series(1, {}) AS i ORDER BY random();"
                           "UPDATE outbox_events SET status = 'SENT', processed_at = now()"
                           " WHERE seq % {} <> 0;"
                           "UPDATE outbox_events SET status = 'PROCESSING' WHERE status = 'NEW';"
                           "UPDATE outbox_events SET max_retries = 5 WHERE status = 'SENT';"
                           "SELECT brin_summarize_new_values('outbox_events_seq')",
                           old_events, old_events / manifested));
        script(session_, "VACUUM ANALYZE outbox_events");
    }

    /// As the manifests name the rows in flight. @param lost  and then others got their numbers
    std::vector<ManifestedRow> manifest(bool lost) {
        const auto rows = session_.query("SELECT bucket, seq, id FROM outbox_events WHERE status = "
                                         "'PROCESSING' ORDER BY seq",
                                         {}, Deadline::in(patience));
        std::vector<ManifestedRow> named;
        for (int i = 0; i < rows.rows(); ++i) {
            const auto id = lost ? Uuid::random() : rows.uuid(i, 2);
            named.push_back(
                {static_cast<std::int16_t>(rows.integer(i, 0)), rows.integer(i, 1), outbox::id_digest(id)});
        }
        return named;
    }
    /// Blocks of 8 KiB that statements on the outbox's tables read in this database.
    std::int64_t blocks_read() {
        return database_.number("SELECT coalesce(sum(shared_blks_hit + shared_blks_read), 0)::bigint FROM"
                                " pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE"
                                " datname = current_database()) AND query LIKE '%outbox_events%'");
    }
    std::int64_t pages() {
        return database_.number("SELECT relpages FROM pg_class WHERE oid = 'outbox_events'::regclass");
    }
};

TEST_F(RecoveryInALargeTable, FindsTheRowsByAnIndex) {
    const auto named = manifest(false);
    ASSERT_EQ(named.size(), static_cast<std::size_t>(manifested));
    const auto before = blocks_read();
    EXPECT_EQ(store_.settle(ownership_, slot_, named, {}, {1, 0}, false).sent, manifested);
    EXPECT_LT(blocks_read() - before, 50 * manifested) << pages() << " pages";
}

TEST_F(RecoveryInALargeTable, ReadsItOnceToTellWhetherItWasEmptied) {
    const auto named = manifest(true);
    const auto before = blocks_read();
    EXPECT_TRUE(store_.settle(ownership_, slot_, named, {}, {1, 0}, false).emptied);
    EXPECT_LT(blocks_read() - before, 50 * manifested) << pages() << " pages";
}

/// A join with the table would read all its ready rows once for each row that is looked for.
TEST_F(StoreTest, RowsAreFoundByTheirNumbersInATableWithoutStatistics) {
    script(session_,
           "ALTER TABLE outbox_events SET (autovacuum_enabled = off);"
           "INSERT INTO outbox_events (aggregate_type, aggregate_id, event_type, event_data, topic)"
           " SELECT 'user', 'k' || i, 'user.created', '{}', 't' FROM generate_series(1, 20000) AS i");
    script(session_, "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_hashjoin = off;"
                     " SET enable_mergejoin = off; SET plan_cache_mode = force_generic_plan"); // as relays do
    const std::string found = "'{1,9}', '{7,8}'";
    const std::pair<postgres::Statement, std::string> statements[] = {
        {sql::find_ready, found},
        {sql::find_unsettled_ready, found},
        {sql::settle_ready, found + ", 'SENT', '', 0"},
        {sql::to_skipped, found + ", '{a,b}'"}};
    for (const auto& [statement, arguments] : statements) {
        EXPECT_THAT(plan_of(statement, arguments),
                    testing::HasSubstr("Index Cond: ((bucket = n.bucket) AND (seq = n.seq))"))
            << statement.name;
    }
}

/// An array would be walked over once for each row that waits: with a hundred thousand of them, of which ten
/// thousand were in flight, no recovery ended.
TEST_F(StoreTest, NumbersAreLookedUpInAHash) {
    script(session_, "SET plan_cache_mode = force_generic_plan; SET enable_hashjoin = off"); // as relays do
    const std::string found = "'{1,9}', '{7,8}'";
    const std::pair<postgres::Statement, std::string> statements[] = {
        {sql::find_waiting, found},
        {sql::find_unsettled_waiting, found},
        {sql::find_manifested, found},
        {sql::settle_waiting, found + ", 'SENT', '', 0"},
        {sql::delete_manifested_waiting, found},
        {sql::find_strays, "'{1,9}', '{0,0}', '{7,8}', 100"},
        {sql::hold, "1, '{7,8}', 100"}};
    for (const auto& [statement, arguments] : statements) {
        EXPECT_THAT(plan_of(statement, arguments), testing::HasSubstr("hashed SubPlan")) << statement.name;
    }
}

} // namespace
} // namespace outbox::store
