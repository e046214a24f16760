#include <outbox/core/handle.hpp>
#include <outbox/support/database.hpp>
#include <outbox/writer/libpq.hpp>
#include <outbox/writer/pqxx.hpp>

#include <gmock/gmock.h>
#include <libpq-fe.h>

#include <pqxx/connection>
#include <pqxx/except>
#include <pqxx/subtransaction>
#include <pqxx/transaction>
#include <string>
#include <vector>

namespace outbox {
namespace {

using support::Rows;
using support::TestDatabase;
using testing::HasSubstr;

constexpr auto trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// As libpq reads it; a value of the environment has no quote in it.
std::string connection_string(const TestDatabase& database) {
    const auto variables = database.environment();
    return "host='" + variables.at("DB_HOST") + "' port='" + variables.at("DB_PORT") + "' user='" +
           variables.at("DB_USER") + "' password='" + variables.at("DB_PASSWORD") + "' dbname='" +
           database.name() + "'";
}

class Writer : public testing::Test {
protected:
    Writer() : connection_(PQconnectdb(connection_string(database_).c_str())) {
        database_.query("CREATE TABLE accounts (id TEXT PRIMARY KEY, cents BIGINT NOT NULL)");
    }

    void run(const std::string& sql) {
        PGresult* const result = PQexec(connection_.get(), sql.c_str());
        EXPECT_EQ(PQresultStatus(result), PGRES_COMMAND_OK) << PQerrorMessage(connection_.get());
        PQclear(result);
    }

    WriteError failure_of(const Event& event) {
        try {
            add_event(connection_.get(), event);
        } catch (const WriteError& error) {
            return error;
        }
        return {"nothing was thrown", ""};
    }

    std::int64_t events() { return database_.number("SELECT count(*) FROM outbox_events"); }

    TestDatabase database_;
    Handle<pg_conn, PQfinish> connection_;
};

Event transfer(const std::string& account = "a-1") {
    return {"account", account, "money.transferred", R"({"cents": 5, "to": "b\\\"2"})", "bank-events"};
}

TEST_F(Writer, AddsTheRowOfThePublishedContract) {
    Event event = transfer();
    run("BEGIN");
    run("INSERT INTO accounts VALUES ('a-1', 5)");
    add_event(connection_.get(), event);
    EXPECT_EQ(PQtransactionStatus(connection_.get()), PQTRANS_INTRANS);
    EXPECT_EQ(events(), 0);
    run("COMMIT");

    EXPECT_EQ(
        database_.query("SELECT id, aggregate_type, aggregate_id, event_type, event_data->>'to', topic, "
                        "partition_key, headers, status, retry_count, max_retries, processed_at, "
                        "error_message, created_at <= now() FROM outbox_events"),
        (Rows{{event.id().to_string(), "account", "a-1", "money.transferred", "b\\\"2", "bank-events", "NULL",
               "NULL", "NEW", "0", "3", "NULL", "NULL", "t"}}));
}

TEST_F(Writer, AddsWhatWasSetToo) {
    Event event = transfer();
    event.set_partition_key("b\"ank\\")
        .set_max_retries(0)
        .set_trace(trace, "a=1")
        .set_header("tenant", "ü\n");
    run("BEGIN");
    add_event(connection_.get(), event);
    run("COMMIT");
    EXPECT_EQ(database_.query("SELECT partition_key, max_retries, headers->>'traceparent', "
                              "headers->>'tracestate', headers->>'tenant' FROM outbox_events"),
              (Rows{{"b\"ank\\", "0", trace, "a=1", "ü\n"}}));
}

TEST_F(Writer, AddsBytesAndTombstonesBesideJsonAndNumbersAsTheyAreWritten) {
    const std::string bytes("\0\xff\\x'\"{},\n", 10);
    const std::vector<Event> events{Event::of_bytes("account", "a-1", "t", bytes, "application/avro", "e"),
                                    Event::tombstone("account", "a-1", "t", "e"),
                                    Event("account", "a-1", "t", "[12345678901234567890123, 1e400]", "e"),
                                    Event::of_bytes("account", "a-1", "t", "", "", "e")};
    run("BEGIN");
    add_events(connection_.get(), events);
    run("COMMIT");
    const Rows expected{{"null", "\\x00ff5c7827227b7d2c0a", "application/avro", "NULL"},
                        {"null", "NULL", "NULL", "t"},
                        {"[12345678901234567890123,", "NULL", "NULL", "NULL"},
                        {"null", "\\x", "NULL", "NULL"}};
    constexpr auto found = "SELECT left(event_data::text, 25), payload, content_type, tombstone FROM "
                           "outbox_events ORDER BY seq";
    EXPECT_EQ(database_.query(found), expected);
    database_.query("DELETE FROM outbox_events");
    pqxx::connection connection(connection_string(database_));
    pqxx::work transaction(connection);
    add_events(transaction, events);
    transaction.commit();
    EXPECT_EQ(database_.query(found), expected);
}

TEST_F(Writer, ARollbackLeavesNothing) {
    run("BEGIN");
    run("INSERT INTO accounts VALUES ('a-1', 5)");
    add_event(connection_.get(), transfer());
    run("ROLLBACK");
    EXPECT_EQ(events(), 0);
    EXPECT_EQ(database_.number("SELECT count(*) FROM accounts"), 0);
}

TEST_F(Writer, RefusesAConnectionThatWouldCommitTheEventAlone) {
    EXPECT_THAT(failure_of(transfer()).what(), HasSubstr("in no transaction"));
    EXPECT_EQ(events(), 0);
}

TEST_F(Writer, RefusesAnotherEncodingThanTheEvents) {
    run("BEGIN");
    run("SET LOCAL client_encoding TO LATIN1");
    EXPECT_THAT(failure_of(transfer()).what(), HasSubstr("client_encoding is LATIN1"));
    run("COMMIT");
    EXPECT_EQ(events(), 0);
}

TEST_F(Writer, TellsTheServersReasonAndLeavesTheRollbackToTheCaller) {
    const Event event = transfer();
    run("BEGIN");
    add_event(connection_.get(), event);
    run("SAVEPOINT before_the_second");
    EXPECT_EQ(failure_of(event).sqlstate(), "23505");
    EXPECT_EQ(failure_of(event).sqlstate(), "25P02");
    run("ROLLBACK TO before_the_second");
    run("COMMIT");
    EXPECT_EQ(events(), 1);
}

TEST_F(Writer, AddsManyInTheirOrderOrNone) {
    std::vector<Event> many;
    constexpr std::size_t count = 5000;
    for (std::size_t i = 0; i < count; ++i) {
        many.push_back(transfer("a-" + std::to_string(i)));
        many.back().set_id(Uuid::random());
        if (i % 2 == 0) {
            many.back().set_header("n", std::to_string(i));
        }
    }
    run("BEGIN");
    add_events(connection_.get(), {});
    add_events(connection_.get(), many);
    run("COMMIT");
    EXPECT_EQ(events(), count);
    EXPECT_EQ(database_.number("SELECT count(*) FROM (SELECT aggregate_id, headers, row_number() OVER "
                               "(ORDER BY seq) - 1 AS n FROM outbox_events) AS e WHERE aggregate_id = 'a-' "
                               "|| n AND headers->>'n' IS NOT DISTINCT FROM CASE WHEN n % 2 = 0 THEN "
                               "n::text END"),
              count);

    const std::vector<Event> one_is_there{transfer(), many.front()};
    run("BEGIN");
    EXPECT_THROW(add_events(connection_.get(), one_is_there), WriteError);
    run("ROLLBACK");
    EXPECT_EQ(events(), count);
}

TEST_F(Writer, AddsToATransactionOfLibpqxx) {
    pqxx::connection connection(connection_string(database_));
    const Event event = transfer();
    {
        pqxx::work transaction(connection);
        add_event(transaction, transfer());
    }
    EXPECT_EQ(events(), 0);
    {
        pqxx::work transaction(connection);
        add_event(transaction, event);
        {
            pqxx::subtransaction part(transaction);
            add_events(part, std::vector{transfer(), transfer()});
        }
        {
            pqxx::subtransaction part(transaction);
            add_events(part, std::vector{transfer("b"), transfer("b")});
            part.commit();
        }
        transaction.commit();
    }
    EXPECT_EQ(database_.query("SELECT aggregate_id FROM outbox_events ORDER BY seq"),
              (Rows{{"a-1"}, {"b"}, {"b"}}));
    pqxx::work transaction(connection);
    EXPECT_THROW(add_event(transaction, event), pqxx::unique_violation);
}

} // namespace
} // namespace outbox
