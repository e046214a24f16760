#include "fixture.hpp"

#include <gmock/gmock.h>

namespace outbox::migrations {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class MigrateRefusal : public testing::Test {
protected:
    MigrateRefusal() {
        folder_.write("0001_a.up.sql", "CREATE TABLE a (x int);\n");
        folder_.write("0001_a.down.sql", "DROP TABLE a;\n");
        folder_.write("0002_b.up.sql", "CREATE TABLE b (x int);\n");
        folder_.write("0002_b.down.sql", "DROP TABLE b;\n");
    }

    Outcome run(const std::string& command) { return migrate(database_, {command, folder_.option()}); }
    bool has(const std::string& table) {
        return database_.value("SELECT to_regclass('" + table + "')") != "NULL";
    }
    std::string applied() {
        return database_.value(
            "SELECT string_agg(version::text, ',' ORDER BY version) FROM outbox_migrations");
    }

    Folder folder_;
    TestDatabase database_{TestDatabase::Start::empty};
};

TEST_F(MigrateRefusal, OfAnEditedFileNamesItAndBothChecksums) {
    ASSERT_EQ(run("up").exit_code, 0);
    const std::string old_sum = database_.value("SELECT checksum FROM outbox_migrations WHERE version = 1");
    const std::string new_sum = database_.value("SELECT encode(sha256('CREATE TABLE a (x bigint);'), 'hex')");
    folder_.write("0001_a.up.sql", "CREATE TABLE a (x bigint);");
    folder_.write("0003_c.up.sql", "CREATE TABLE c (x int);");
    for (const char* command : {"up", "down"}) {
        const Outcome outcome = run(command);
        EXPECT_EQ(outcome.exit_code, 1);
        EXPECT_THAT(outcome.errors,
                    AllOf(HasSubstr("0001_a.up.sql"), HasSubstr(old_sum), HasSubstr(new_sum)));
    }
    EXPECT_FALSE(has("c"));
    EXPECT_TRUE(has("b"));
    EXPECT_THAT(run("status").output, HasSubstr("0001     a     edited"));
}

TEST_F(MigrateRefusal, CountsLineEndsToo) {
    ASSERT_EQ(run("up").exit_code, 0);
    folder_.write("0001_a.up.sql", "CREATE TABLE a (x int);\r\n");
    EXPECT_EQ(run("up").exit_code, 1);
}

TEST_F(MigrateRefusal, OfAMissingFile) {
    folder_.write("0003_c.up.sql", "CREATE TABLE c (x int);");
    ASSERT_EQ(run("up").exit_code, 0);
    folder_.remove("0003_c.up.sql");
    const Outcome outcome = run("up");
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors, HasSubstr("0003_c.up.sql is not among the files here"));
}

TEST_F(MigrateRefusal, OfAGapInTheHistory) {
    ASSERT_EQ(run("up").exit_code, 0);
    database_.query("DELETE FROM outbox_migrations WHERE version = 1");
    const Outcome outcome = run("up");
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors, HasSubstr("0002_b is applied, but 0001_a before it is not"));
}

TEST_F(MigrateRefusal, AFailingFileLeavesNothingOfOursBehindAndWhatAnEarlierUpDidStays) {
    folder_.write("0003_c.up.sql", "CREATE TABLE c (x int); INSERT INTO c VALUES (1); SELECT 1 / 0;");
    const Outcome outcome = run("up");
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors, AllOf(HasSubstr("0003_c.up.sql failed, and nothing of it was kept"),
                                      HasSubstr("division by zero"), Not(HasSubstr("script:"))));
    EXPECT_FALSE(has("c"));
    EXPECT_FALSE(has("b")) << "up is one decision";
    EXPECT_FALSE(has("outbox_migrations"));
    folder_.write("0003_c.up.sql", "CREATE TABLE c (x int);");
    EXPECT_EQ(run("up").exit_code, 0) << "a repaired file that was never applied is no edited file";
    EXPECT_EQ(applied(), "1,2,3");
    folder_.write("0004_d.up.sql", "SELECT 1 / 0;");
    EXPECT_EQ(run("up").exit_code, 1);
    EXPECT_EQ(applied(), "1,2,3");
    EXPECT_TRUE(has("c"));
}

TEST_F(MigrateRefusal, DropsTheDatabaseThatItMade) {
    folder_.write("0003_c.up.sql", "SELECT 1 / 0;");
    const TestDatabase absent(TestDatabase::Start::absent);
    EXPECT_EQ(migrate(absent, {"up", folder_.option()}).exit_code, 1);
    EXPECT_EQ(database_.number("SELECT count(*) FROM pg_database WHERE datname = '" + absent.name() + "'"),
              0);
    EXPECT_TRUE(database_.number("SELECT count(*) FROM pg_database WHERE datname = current_database()") == 1);
}

TEST_F(MigrateRefusal, AFailingDownKeepsTheStep) {
    ASSERT_EQ(run("up").exit_code, 0);
    folder_.write("0002_b.down.sql", "DROP TABLE b; SELECT 1 / 0;");
    EXPECT_EQ(run("down").exit_code, 1);
    EXPECT_TRUE(has("b"));
    EXPECT_EQ(applied(), "1,2");
}

TEST_F(MigrateRefusal, AFileThatCommitsItselfIsCalledOut) {
    folder_.write("0003_c.up.sql", "CREATE TABLE c (x int); COMMIT; BEGIN;");
    const Outcome outcome = run("up");
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors, HasSubstr("0003_c holds a COMMIT or ROLLBACK of its own"));
    EXPECT_EQ(applied(), "1,2");
}

TEST_F(MigrateRefusal, SeveralStatementsAndDollarQuotesAreOneFile) {
    folder_.write("0003_c.up.sql",
                  "CREATE TABLE c (x text); -- a ; in a comment\n"
                  "DO $body$ BEGIN INSERT INTO c VALUES ('a;''b'); END $body$;\n"
                  "CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT x FROM c; $$;");
    ASSERT_EQ(run("up").exit_code, 0);
    EXPECT_EQ(database_.value("SELECT f()"), "a;'b");
}

TEST_F(MigrateRefusal, AConnectionLostDuringCommitIsSaidToBeUnknown) {
    folder_.write("0003_c.up.sql",
                  "CREATE TABLE c (x int);\n"
                  "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS\n"
                  "$$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;\n"
                  "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON c DEFERRABLE INITIALLY DEFERRED\n"
                  "FOR EACH ROW EXECUTE FUNCTION die();\n"
                  "SET CONSTRAINTS ALL DEFERRED; INSERT INTO c VALUES (1);");
    const Outcome outcome = run("up");
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors,
                AllOf(HasSubstr("the connection was lost while 0001_a.up.sql to 0003_c.up.sql was committed"),
                      HasSubstr("Running up again is safe")));
    folder_.write("0003_c.up.sql", "CREATE TABLE c (x int);");
    EXPECT_EQ(run("up").exit_code, 0);
    EXPECT_EQ(applied(), "1,2,3");
}

TEST_F(MigrateRefusal, AConnectionLostInAFileLeavesNothingOfIt) {
    folder_.write("0003_c.up.sql", "CREATE TABLE c (x int); SELECT pg_terminate_backend(pg_backend_pid());");
    const Outcome outcome = run("up");
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors, HasSubstr("0003_c.up.sql failed, and nothing of it was kept"));
    EXPECT_FALSE(has("a"));
    EXPECT_FALSE(has("outbox_migrations"));
}

} // namespace
} // namespace outbox::migrations
