#include <outbox/support/database.hpp>
#include <outbox/support/environment.hpp>
#include <outbox/support/process.hpp>

#include <fmt/format.h>
#include <libpq-fe.h>

#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string_view>

namespace outbox::support {
namespace {

Deadline soon() {
    return Deadline::in(std::chrono::seconds(30));
}

/// libpq itself, so that what a test sees has not passed through the code under test.
Handle<pg_conn, PQfinish> open_session(const postgres::ConnectOptions& options) {
    const char* const keywords[] = {"host",    "port", "user", "password", "dbname", "connect_timeout",
                                    "options", nullptr};
    const char* const values[] = {options.host.c_str(),
                                  options.port.c_str(),
                                  options.user.c_str(),
                                  options.password.c_str(),
                                  options.database.c_str(),
                                  "10",
                                  "-c statement_timeout=30s -c client_min_messages=error -c timezone=UTC",
                                  nullptr};
    Handle<pg_conn, PQfinish> session(PQconnectdbParams(keywords, values, 0));
    if (PQstatus(session.get()) != CONNECTION_OK) {
        throw postgres::DatabaseError("", PQerrorMessage(session.get()));
    }
    return session;
}

[[noreturn]] void refuse(const std::string& sql, const pg_result* result) {
    const auto field = [result](int code) {
        const char* text = PQresultErrorField(result, code);
        return std::string(text == nullptr ? "" : text);
    };
    throw postgres::DatabaseError(field(PG_DIAG_SQLSTATE), sql + ": " + PQresultErrorMessage(result),
                                  field(PG_DIAG_MESSAGE_HINT), field(PG_DIAG_CONSTRAINT_NAME));
}

Rows rows_of(const pg_result* result) {
    Rows rows;
    for (int row = 0; row < PQntuples(result); ++row) {
        auto& fields = rows.emplace_back();
        for (int column = 0; column < PQnfields(result); ++column) {
            const bool null = PQgetisnull(result, row, column) != 0;
            fields.emplace_back(null ? "NULL" : PQgetvalue(result, row, column));
        }
    }
    return rows;
}

} // namespace

postgres::ConnectOptions server_options(const std::string& database) {
    postgres::ConnectOptions options;
    options.host = required_variable("DB_HOST");
    options.port = required_variable("DB_PORT");
    options.user = required_variable("DB_USER");
    options.password = required_variable("DB_PASSWORD");
    options.database = database;
    options.application_name = "outbox-test";
    return options;
}

void on_server(const std::string& sql) {
    auto connection = postgres::Connection::open(server_options("postgres"), soon());
    connection.script(sql, soon());
}

std::string unique_name(const std::string& prefix) {
    std::string id = Uuid::random().to_string();
    std::erase(id, '-');
    return prefix + id;
}

TestDatabase::TestDatabase(Start start) : name_(unique_name("outbox_test_")) {
    if (start != Start::absent) {
        on_server("CREATE DATABASE " + name_);
    }
    if (start == Start::migrated) {
        try {
            migrate({"up"});
        } catch (...) {
            drop();
            throw;
        }
    }
}

TestDatabase::~TestDatabase() {
    drop();
}

void TestDatabase::drop() noexcept {
    session_.reset();
    try {
        on_server("DROP DATABASE IF EXISTS " + name_ + " WITH (FORCE)");
    } catch (const std::exception& error) {
        std::cerr << "test database " << name_ << " is left behind: " << error.what() << '\n';
    }
}

std::map<std::string, std::string> TestDatabase::environment() const {
    return {{"DB_HOST", required_variable("DB_HOST")},
            {"DB_PORT", required_variable("DB_PORT")},
            {"DB_USER", required_variable("DB_USER")},
            {"DB_PASSWORD", required_variable("DB_PASSWORD")},
            {"DB_NAME", name_}};
}

postgres::Connection TestDatabase::connect() const {
    return postgres::Connection::open(options(), soon());
}

Rows TestDatabase::query(const std::string& sql, const std::vector<std::string>& params) {
    if (!session_ || PQstatus(session_.get()) != CONNECTION_OK) {
        session_ = open_session(options());
    }
    std::vector<const char*> values;
    values.reserve(params.size());
    for (const std::string& param : params) {
        values.push_back(param.c_str());
    }
    const Handle<pg_result, PQclear> result(
        params.empty() ? PQexec(session_.get(), sql.c_str())
                       : PQexecParams(session_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr,
                                      values.data(), nullptr, nullptr, 0));
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        refuse(sql, result.get());
    }
    return rows_of(result.get());
}

std::string TestDatabase::value(const std::string& sql, const std::vector<std::string>& params) {
    const Rows rows = query(sql, params);
    if (rows.empty() || rows[0].empty()) {
        throw std::runtime_error("no row: " + sql);
    }
    return rows[0][0];
}

std::int64_t TestDatabase::number(const std::string& sql, const std::vector<std::string>& params) {
    return std::stoll(value(sql, params));
}

void TestDatabase::migrate(const std::vector<std::string>& words) {
    Command command{.words = {program("outbox-migrate")}, .environment = environment()};
    command.words.insert(command.words.end(), words.begin(), words.end());
    const Outcome outcome = run(command, std::chrono::seconds(60));
    if (outcome.exit_code != 0) {
        throw std::runtime_error(
            fmt::format("outbox-migrate ended with {}: {}", outcome.exit_code, outcome.errors));
    }
}

std::string program(const std::string& name) {
    // Also in place of the one with fault points, which every witness has.
    const auto witness =
        name.starts_with("outbox-relay") ? optional_variable("OUTBOX_TEST_RELAY") : std::nullopt;
    return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / witness.value_or(name)).string();
}

} // namespace outbox::support
