#include "database.hpp"

#include <cstdlib>
#include <stdexcept>

namespace example {
namespace {

using Result = outbox::Handle<PGresult, PQclear>;

void check(const Database& database, const Result& result) {
    if (PQresultStatus(result.get()) != PGRES_COMMAND_OK && PQresultStatus(result.get()) != PGRES_TUPLES_OK) {
        throw std::runtime_error(PQerrorMessage(database.session()));
    }
}

PGconn* connect() {
    const char* const names[] = {"host",    "port", "user", "password", "dbname", "connect_timeout",
                                 "options", nullptr};
    // A member that stands still in a transaction keeps its partitions' rows locked; the server ends its
    // session.
    const char* const values[] = {std::getenv("DB_HOST"),
                                  std::getenv("DB_PORT"),
                                  std::getenv("DB_USER"),
                                  std::getenv("DB_PASSWORD"),
                                  std::getenv("DB_NAME"),
                                  "10",
                                  "-c idle_in_transaction_session_timeout=5s -c client_min_messages=warning",
                                  nullptr};
    return PQconnectdbParams(names, values, 0);
}

} // namespace

Database::Database() : session_(connect()) {
    if (PQstatus(session_.get()) != CONNECTION_OK) {
        throw std::runtime_error(PQerrorMessage(session_.get()));
    }
}

void Database::run(const std::string& sql, const std::vector<std::string>& params) {
    std::vector<const char*> values;
    values.reserve(params.size());
    for (const auto& param : params) {
        values.push_back(param.c_str());
    }
    check(*this, Result(PQexecParams(session(), sql.c_str(), static_cast<int>(values.size()), nullptr,
                                     values.data(), nullptr, nullptr, 0)));
}

void Database::run(const std::string& sql) {
    check(*this, Result(PQexec(session(), sql.c_str())));
}

void Database::transaction(const std::function<void()>& work) {
    run("BEGIN");
    work();
    run("COMMIT");
}

} // namespace example
