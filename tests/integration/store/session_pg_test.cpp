// What the product's sessions ask of the server.
#include <outbox/postgres/transaction.hpp>
#include <outbox/support/database.hpp>
#include <outbox/support/pgbouncer.hpp>
#include <outbox/support/wait.hpp>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace outbox::postgres {
namespace {

using namespace std::chrono_literals;
using support::TestDatabase;
using support::wait_until;

Deadline soon() {
    return Deadline::in(60s);
}

/// A copy of this process that does some work; it ends with this object.
class Child {
public:
    template <class Work>
    explicit Child(Work work) : pid_(fork()) {
        if (pid_ == 0) {
            try {
                work();
            } catch (const std::exception&) {
                // the test sees that the work is not done
            }
            _exit(0);
        }
    }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() {
        kill(pid_, SIGKILL);
        waitpid(pid_, nullptr, 0);
    }
    void stop() const { kill(pid_, SIGSTOP); }

private:
    pid_t pid_;
};

TEST(Session, EndsWithItsLocksWhenItsClientDoesNotRead) {
    TestDatabase database(TestDatabase::Start::empty);
    auto gate = database.connect();
    gate.script("SELECT pg_advisory_lock(2)", soon());
    auto options = database.options();
    options.application_name = "stopped";
    options.statement_timeout = 5s;
    options.idle_in_transaction_timeout = 5s;
    options.tcp_user_timeout = 1s;
    const Child reader([&options] {
        Connection::open(options, soon())
            .script("BEGIN; SELECT pg_advisory_xact_lock(1); SELECT pg_advisory_xact_lock(2);"
                    " SELECT repeat('x', 100000) FROM generate_series(1, 500)",
                    soon());
    });
    const auto waits_for = [&database](const std::string& event) {
        return wait_until([&] {
            return database.number("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'stopped'"
                                   " AND datname = current_database() AND wait_event = $1",
                                   {event}) == 1;
        });
    };
    ASSERT_TRUE(waits_for("advisory"));
    reader.stop();
    gate.script("SELECT pg_advisory_unlock(2)", soon());
    ASSERT_TRUE(waits_for("ClientWrite"));
    EXPECT_TRUE(wait_until([&] { return database.value("SELECT pg_try_advisory_lock(1)") == "t"; }, 10s));
}

TEST(Session, OfOurOwnHasOurSettingsWhateverTheDatabasesAre) {
    TestDatabase database(TestDatabase::Start::empty);
    for (const char* setting :
         {"datestyle = 'German'", "intervalstyle = iso_8601", "bytea_output = escape",
          "default_transaction_read_only = on", "default_transaction_deferrable = on",
          "default_transaction_isolation = serializable", "row_security = on", "idle_session_timeout = '1h'",
          "quote_all_identifiers = on", "session_replication_role = replica", "synchronous_commit = off"}) {
        support::on_server("ALTER DATABASE " + database.name() + " SET " + setting);
    }
    auto session = database.connect();
    const auto is = [&](const std::string& name) {
        return session.query("SHOW " + name, {}, soon()).text(0, 0);
    };
    EXPECT_EQ(is("datestyle"), "ISO, MDY");
    EXPECT_EQ(is("intervalstyle"), "postgres");
    EXPECT_EQ(is("bytea_output"), "hex");
    EXPECT_EQ(is("transaction_read_only"), "off");
    EXPECT_EQ(is("transaction_deferrable"), "off");
    EXPECT_EQ(is("transaction_isolation"), "read committed");
    EXPECT_EQ(is("row_security"), "off");
    EXPECT_EQ(is("idle_session_timeout"), "0");
    EXPECT_EQ(is("quote_all_identifiers"), "off");
    EXPECT_EQ(is("session_replication_role"), "origin");
    EXPECT_EQ(is("synchronous_commit"), "on");
}

TEST(Session, IsOpenedWithTheFirstOfSeveralHostsThatAnswers) {
    TestDatabase database(TestDatabase::Start::empty);
    auto options = database.options();
    const auto port = options.port;
    options.port = "1," + port;
    options.host = options.host + "," + options.host;
    EXPECT_TRUE(Connection::open(options, soon()).usable());
    options.port = "1,2";
    EXPECT_THROW(Connection::open(options, soon()), DatabaseError);
    options.port = "1,2,3";
    EXPECT_THROW(Connection::open(options, soon()), Error);
}

TEST(Session, OfAPoolersIsLeftAsItWas) {
    TestDatabase database(TestDatabase::Start::empty);
    database.query("ALTER DATABASE " + database.name() +
                   " SET default_transaction_isolation = 'repeatable read'");
    const support::PgBouncer pooler("transaction", 1);
    auto client = Connection::open(pooler.through(database), soon());
    Transaction transaction(client, soon());
    EXPECT_EQ(transaction.query("SHOW tcp_user_timeout").text(0, 0), "5000");
    transaction.commit();
    const auto left = client.query("SELECT current_setting('default_transaction_isolation') || ' ' || "
                                   "current_setting('tcp_user_timeout')",
                                   {}, soon());
    EXPECT_EQ(left.text(0, 0), "repeatable read 0");
}

} // namespace
} // namespace outbox::postgres
