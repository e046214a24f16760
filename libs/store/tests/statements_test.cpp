#include <outbox/store/sql/events.hpp>
#include <outbox/store/sql/turn.hpp>
#include <outbox/store/statements.hpp>

#include <gmock/gmock.h>

#include <cstring>
#include <set>

namespace outbox::store {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(Statements, HaveNamesOfTheirOwn) {
    std::set<std::string_view> names;
    for (const NamedStatement& statement : all_statements()) {
        EXPECT_TRUE(names.insert(statement.name).second) << statement.name << " stands there twice";
    }
    EXPECT_GT(names.size(), 190U);
}

/// PostgreSQL cuts longer names off, so that two of them may be the same.
TEST(Statements, HaveNamesThatPostgresqlKeepsWhole) {
    for (const NamedStatement& statement : all_statements()) {
        EXPECT_LT(statement.name.size(), 64U - std::strlen("_1000000")) << statement.name;
    }
}

TEST(Statements, SayInASentenceWhatTheyAreFor) {
    for (const NamedStatement& statement : all_statements()) {
        EXPECT_TRUE(statement.comment.ends_with('.')) << statement.name << ": " << statement.comment;
        EXPECT_GT(statement.comment.size(), 15U) << statement.name;
    }
}

TEST(Statements, LeaveNoFragmentOpen) {
    for (const NamedStatement& statement : all_statements()) {
        EXPECT_THAT(std::string(statement.sql), testing::Not(testing::ContainsRegex("[{][a-z_]+[}(]")))
            << statement.name;
    }
}

TEST(Statements, ArePrintedForPsqlWithTheirComment) {
    EXPECT_EQ(for_psql("outbox_is_quiet"),
              "-- Finds out whether shard $1 is paused and has nothing in flight.\n"
              "PREPARE outbox_is_quiet AS\n"
              "SELECT 1 FROM outbox_shards WHERE shard = $1 AND quiet_epoch = epoch;\n");
    EXPECT_THAT(for_psql("outbox_fetch").value(), HasSubstr("\nFETCH 100 FROM outbox_claim;\n"));
    EXPECT_EQ(for_psql("outbox_nothing"), std::nullopt);
}

TEST(Template, GetsItsPlacesFilled) {
    EXPECT_EQ(filled(sql::fetch, {{"rows", "7"}}), "FETCH 7 FROM outbox_claim");
    const Template two{"outbox_two", "SELECT {a}, '{b}', {c}, {}, {ab}"};
    EXPECT_EQ(filled(two, {{"a", "{c}"}, {"b", "x"}}), "SELECT {c}, 'x', {c}, {}, {ab}");
}

} // namespace
} // namespace outbox::store
