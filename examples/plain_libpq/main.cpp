// plain_libpq ACCOUNT CENTS: pays money in, and tells of it in the same transaction, with libpq alone.
// The database is named by libpq's variables (PGHOST, PGDATABASE, ...).
#include <outbox/writer/libpq.hpp>

#include <libpq-fe.h>

#include <exception>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

struct Finish {
    void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
};
struct Clear {
    void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using Connection = std::unique_ptr<PGconn, Finish>;
using Result = std::unique_ptr<PGresult, Clear>;

void run(PGconn* connection, const char* sql) {
    const Result result(PQexec(connection, sql));
    if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) {
        throw std::runtime_error(PQerrorMessage(connection));
    }
}

void pay_in(PGconn* connection, const std::string& account, const std::string& cents) {
    const char* const values[] = {account.c_str(), cents.c_str()};
    const Result result(PQexecParams(connection,
                                     "UPDATE accounts SET cents = cents + $2::bigint WHERE id = $1"
                                     " RETURNING json_build_object('cents', $2::bigint, 'balance', cents)",
                                     2, nullptr, values, nullptr, nullptr, 0));
    if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) {
        throw std::runtime_error(PQerrorMessage(connection));
    }
    if (PQntuples(result.get()) != 1) {
        throw std::runtime_error("no such account");
    }
    outbox::add_event(connection, outbox::Event("account", account, "money.paid_in",
                                                PQgetvalue(result.get(), 0, 0), "bank-events"));
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::cerr << "usage: plain_libpq ACCOUNT CENTS\n";
        return 2;
    }
    try {
        const Connection connection(PQconnectdb(""));
        run(connection.get(), "BEGIN");
        pay_in(connection.get(), argv[1], argv[2]);
        run(connection.get(), "COMMIT"); // not reached after an error: the server rolls back when we leave
    } catch (const std::exception& error) {
        std::cerr << "plain_libpq: " << error.what() << '\n';
        return 1;
    }
    return 0;
}
