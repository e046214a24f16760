// Writers through PgBouncer in transaction mode: six clients share two sessions.

#include <outbox/core/handle.hpp>
#include <outbox/support/pgbouncer.hpp>
#include <outbox/writer/libpq.hpp>
#include <outbox/writer/pqxx.hpp>

#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <pqxx/connection>
#include <pqxx/transaction>
#include <string>
#include <thread>
#include <vector>

namespace outbox {
namespace {

constexpr int clients = 6;
constexpr int events = 30;

class WriterPooler : public testing::Test {
protected:
    WriterPooler() { database_.query("CREATE TABLE accounts (id TEXT PRIMARY KEY, n INTEGER NOT NULL)"); }

    [[nodiscard]] std::string connection_string() const {
        const auto options = pooler_.through(database_);
        return "host=" + options.host + " port=" + options.port + " user='" + options.user + "' password='" +
               options.password + "' dbname='" + options.database + "'";
    }

    /// Each client works on an account of its own.
    template <class Work>
    void in_parallel(Work work) {
        std::vector<std::jthread> threads;
        for (int i = 0; i < clients; ++i) {
            threads.emplace_back([this, work, i] {
                try {
                    work("a-" + std::to_string(i));
                } catch (const std::exception& error) {
                    ADD_FAILURE() << error.what();
                }
            });
        }
    }

    /// Of each account the events 1 to 30, in that order; nothing of what was rolled back.
    void expect_all() {
        EXPECT_EQ(database_.number(
                      "SELECT count(*) FROM (SELECT (event_data->>'n')::integer AS n, row_number() OVER "
                      "(PARTITION BY aggregate_id ORDER BY seq) AS wanted FROM outbox_events) AS e "
                      "WHERE n = wanted"),
                  clients * events);
        EXPECT_EQ(database_.number("SELECT count(*) FROM outbox_events"), clients * events);
    }

    static Event event_of(const std::string& account, int n) {
        return {"account", account, "money.transferred", R"({"n": )" + std::to_string(n) + "}",
                "bank-events"};
    }

    support::PgBouncer pooler_;
    support::TestDatabase database_;
};

std::string touch(const std::string& account) {
    return "INSERT INTO accounts VALUES ('" + account +
           "', 1) ON CONFLICT (id) DO UPDATE SET n = accounts.n + 1";
}

TEST_F(WriterPooler, OverLibpqEachEventIsCommittedWithItsTransaction) {
    in_parallel([this](const std::string& account) {
        const Handle<pg_conn, PQfinish> connection(PQconnectdb(connection_string().c_str()));
        const auto run = [&](const std::string& sql) {
            PGresult* const result = PQexec(connection.get(), sql.c_str());
            EXPECT_EQ(PQresultStatus(result), PGRES_COMMAND_OK) << PQerrorMessage(connection.get());
            PQclear(result);
        };
        for (int n = 1; n <= events; ++n) {
            for (const char* end : {"ROLLBACK", "COMMIT"}) {
                run("BEGIN");
                run(touch(account));
                add_event(connection.get(), event_of(account, n));
                run(end);
            }
        }
    });
    expect_all();
}

TEST_F(WriterPooler, OverLibpqxxToo) {
    in_parallel([this](const std::string& account) {
        pqxx::connection connection(connection_string());
        for (int n = 1; n <= events; ++n) {
            for (const bool commits : {false, true}) {
                pqxx::work transaction(connection);
                transaction.exec(touch(account));
                add_event(transaction, event_of(account, n));
                if (commits) {
                    transaction.commit();
                }
            }
        }
    });
    expect_all();
}

} // namespace
} // namespace outbox
