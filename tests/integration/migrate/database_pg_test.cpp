#include "fixture.hpp"

#include <gmock/gmock.h>

namespace outbox::migrations {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(MigrateDatabase, ThatIsMissingIsSaidByEveryCommandButUp) {
    const TestDatabase database(TestDatabase::Start::absent);
    for (const char* command : {"version", "status", "down"}) {
        const Outcome outcome = migrate(database, {command});
        EXPECT_EQ(outcome.exit_code, 1) << command;
        EXPECT_EQ(outcome.output, "") << command;
        EXPECT_THAT(outcome.errors, HasSubstr("database \"" + database.name() + "\" does not exist"))
            << command;
    }
}

TEST(MigrateDatabase, ThatMayNotBeCreatedGivesTheCommandToType) {
    const Role role("NOCREATEDB");
    const TestDatabase database(TestDatabase::Start::absent);
    const Outcome outcome = migrate(database, {"up"}, role.variables());
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors, AllOf(HasSubstr("role \"" + role.name() + "\" may not create it"),
                                      HasSubstr("CREATE DATABASE \"" + database.name() + "\" OWNER \"" +
                                                role.name() + "\";")));
    on_server("CREATE DATABASE \"" + database.name() + "\" OWNER \"" + role.name() + "\"");
    EXPECT_EQ(migrate(database, {"up"}, role.variables()).exit_code, 0) << "the advice did not help";
}

TEST(MigrateDatabase, InWhichNoTableMayBeCreatedGivesTheCommandToType) {
    const Role role;
    TestDatabase database(TestDatabase::Start::empty);
    database.query("REVOKE CREATE ON SCHEMA public FROM public");
    const Outcome outcome = migrate(database, {"up"}, role.variables());
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors, HasSubstr("GRANT CREATE ON SCHEMA public TO \"" + role.name() + "\";"));
    database.query("GRANT CREATE ON SCHEMA public TO \"" + role.name() + "\"");
    EXPECT_EQ(migrate(database, {"up"}, role.variables()).exit_code, 0) << "the advice did not help";
}

TEST(MigrateDatabase, MayHaveAnyName) {
    const TestDatabase server(TestDatabase::Start::absent); // for the environment and a unique name
    const std::string name = server.name() + " \"Quoted\"; x='1";
    const Outcome outcome = migrate(server, {"up"}, {{"DB_NAME", name}});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_EQ(migrate(server, {"version"}, {{"DB_NAME", name}}).output,
              std::to_string(newest_migration()) + "\n");
    on_server("DROP DATABASE IF EXISTS \"" + server.name() + " \"\"Quoted\"\"; x='1\" WITH (FORCE)");
}

TEST(MigrateDatabase, IsUnicodeWhateverTheServerWasSetUpWith) {
    TestDatabase database(TestDatabase::Start::absent);
    ASSERT_EQ(migrate(database, {"up"}).exit_code, 0);
    EXPECT_EQ(database.value("SHOW server_encoding"), "UTF8");
}

TEST(MigrateDatabase, ThatCannotBeReachedIsNotTakenForMissing) {
    const TestDatabase database(TestDatabase::Start::absent);
    const Outcome outcome = migrate(database, {"up"}, {{"DB_HOST", "127.0.0.1"}, {"DB_PORT", "1"}});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors, HasSubstr("127.0.0.1:1"));
}

} // namespace
} // namespace outbox::migrations
