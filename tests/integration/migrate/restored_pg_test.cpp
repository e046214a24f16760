// Dumps, restored: whole, without comments, owners or rights, without data, and without a part of it.

#include "fixture.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace outbox::migrations {
namespace {

using testing::HasSubstr;

class Restored : public testing::Test {
protected:
    Restored() {
        original_.query(
            "CREATE TABLE outbox (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), aggregatetype text NOT NULL"
            " DEFAULT 'order', aggregateid text NOT NULL DEFAULT 'a', type text NOT NULL DEFAULT"
            " 'order.placed', payload jsonb NOT NULL DEFAULT '{}')");
        folder_.write("outbox.toml", "[table]\nname = 'outbox'\n");
        EXPECT_EQ(migrate(original_, {"up", "--config", folder_.path("outbox.toml")}).exit_code, 0);
        write(original_, 3);
    }
    static void write(TestDatabase& database, int rows) {
        database.query(fmt::format("INSERT INTO outbox SELECT FROM generate_series(1, {})", rows));
    }
    /// pg_dump with these options, restored into this database.
    static void restore(const TestDatabase& from, const TestDatabase& into, const std::string& options) {
        const auto server = support::server_options("postgres");
        const auto outcome = support::run({{"bash", "-c",
                                            fmt::format("pg_dump {} '{}' | psql -q -v ON_ERROR_STOP=1 '{}'",
                                                        options, from.name(), into.name())},
                                           {{"PGHOST", server.host},
                                            {"PGPORT", server.port},
                                            {"PGUSER", server.user},
                                            {"PGPASSWORD", server.password}}},
                                          std::chrono::seconds(60));
        EXPECT_EQ(outcome.exit_code, 0) << options << outcome.errors;
    }
    static std::string outbox_id(TestDatabase& of) { return of.value("SELECT outbox_id FROM outbox_meta"); }

    Folder folder_;
    TestDatabase original_;
    TestDatabase copy_{TestDatabase::Start::empty};
};

TEST_F(Restored, AWholeDumpIsTheSameOutboxWhateverItLeavesOut) {
    for (const char* options : {"", "--no-comments", "--no-owner --no-privileges"}) {
        SCOPED_TRACE(options);
        TestDatabase copy(TestDatabase::Start::empty);
        restore(original_, copy, options);
        const auto up = migrate(copy, {"up"});
        EXPECT_EQ(up.exit_code, 0) << up.errors;
        write(copy, 1);
        EXPECT_EQ(copy.value("SELECT count(*) || ' ' || max(seq) FROM outbox_events"), "4 4");
        EXPECT_EQ(outbox_id(copy), outbox_id(original_));
        EXPECT_THAT(migrate(copy, {"status"}).output, HasSubstr("served: public.outbox"));
    }
}

TEST_F(Restored, ASchemaWithoutDataIsANewOutboxOnceUpRan) {
    restore(original_, copy_, "--schema-only");
    const auto status = support::run({{support::program("outbox-relay"), "status"}, copy_.environment()});
    EXPECT_EQ(status.exit_code, 1);
    EXPECT_THAT(status.errors, HasSubstr("has no history, as after pg_dump --schema-only"));
    const auto up = migrate(copy_, {"up"});
    EXPECT_EQ(up.exit_code, 0) << up.errors;
    EXPECT_THAT(up.errors, HasSubstr("the outbox was restored without its data: it is a new one"));
    EXPECT_NE(outbox_id(copy_), outbox_id(original_));
    write(copy_, 2);
    EXPECT_EQ(copy_.number("SELECT count(*) FROM outbox_events"), 2);
    EXPECT_THAT(migrate(copy_, {"up"}).errors, HasSubstr("there was nothing to do"));
    EXPECT_THAT(migrate(copy_, {"status"}).output, HasSubstr("served: public.outbox"));
}

TEST_F(Restored, ASchemaWhoseDataComesLaterIsTheSameOutbox) {
    restore(original_, copy_, "--schema-only");
    restore(original_, copy_, "--data-only --disable-triggers");
    const auto up = migrate(copy_, {"up"});
    EXPECT_EQ(up.exit_code, 0) << up.errors;
    EXPECT_EQ(outbox_id(copy_), outbox_id(original_));
    write(copy_, 1);
    EXPECT_EQ(copy_.value("SELECT count(*) || ' ' || max(seq) FROM outbox_events"), "4 4");
}

TEST_F(Restored, WithoutAPartOfItsDataItIsRefusedInOneLine) {
    restore(original_, copy_, "--exclude-table-data=outbox_migrations");
    const auto without_history = migrate(copy_, {"up"});
    EXPECT_EQ(without_history.exit_code, 1);
    EXPECT_THAT(without_history.errors,
                HasSubstr("outbox_migrations is empty, and other tables of the outbox are not"));

    TestDatabase older(TestDatabase::Start::empty);
    restore(original_, older, "--schema-only");
    older.query("DROP FUNCTION outbox_structure()"); // as an earlier version left it
    const auto unknown = migrate(older, {"up"});
    EXPECT_EQ(unknown.exit_code, 1);
    EXPECT_THAT(unknown.errors, HasSubstr("as after pg_dump --schema-only: restore the data"));
}

TEST_F(Restored, WithoutItsIdItIsANewOutboxWhereNothingWasSentAndRefusedElsewhere) {
    copy_.migrate({"up"});
    copy_.query("DELETE FROM outbox_meta");
    EXPECT_THAT(migrate(copy_, {"up"}).errors, HasSubstr("outbox_meta was empty: this is a new outbox now"));
    copy_.query("DELETE FROM outbox_meta");
    copy_.query("INSERT INTO outbox_shards (shard, marked_batch) VALUES (0, 7)");
    const auto refused = migrate(copy_, {"up"});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_THAT(refused.errors, HasSubstr("outbox_meta: is empty"));
}

} // namespace
} // namespace outbox::migrations
