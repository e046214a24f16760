#include <outbox/core/error.hpp>
#include <outbox/migrate/statements.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace outbox::migrations {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(MigrateSql, ListsTheNamesOfAllStatementsOneALine) {
    const std::string names = statement_text(std::nullopt);
    EXPECT_THAT(names, HasSubstr("\noutbox_take_shard\n"));
    EXPECT_TRUE(names.ends_with('\n'));
    EXPECT_GT(std::count(names.begin(), names.end(), '\n'), 190);
}

TEST(MigrateSql, PrintsOneStatementWithItsFragmentsFilledIn) {
    const std::string text = statement_text("outbox_take_shard");
    EXPECT_THAT(text, StartsWith("-- Gives shard $1 to relay $2"));
    EXPECT_THAT(text, HasSubstr("\nPREPARE outbox_take_shard AS\nUPDATE outbox_shards AS s\n"));
    EXPECT_THAT(text, HasSubstr("pg_postmaster_start_time()"));
    EXPECT_TRUE(text.ends_with(";\n"));
}

TEST(MigrateSql, RefusesANameThatThereIsNot) {
    try {
        statement_text("outbox_nothing");
        FAIL() << "it was not refused";
    } catch (const UsageError& error) {
        EXPECT_STREQ(error.what(),
                     "there is no statement outbox_nothing: outbox-migrate sql lists their names");
    }
}

} // namespace
} // namespace outbox::migrations
