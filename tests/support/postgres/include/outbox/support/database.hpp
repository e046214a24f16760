#pragma once

#include <outbox/postgres/connection.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace outbox::support {

/// Rows of text; NULL reads "NULL". Good for comparing and for printing.
using Rows = std::vector<std::vector<std::string>>;

/// The server of DB_HOST, DB_PORT, DB_USER, DB_PASSWORD. @throws std::runtime_error when one is not set.
postgres::ConnectOptions server_options(const std::string& database);

/// A database of a test's own on the server of the environment; dropped at the end, whoever still uses it.
class TestDatabase {
public:
    enum class Start {
        absent,  ///< only the name; the test creates the database, the end drops it
        empty,   ///< created, nothing in it
        migrated ///< outbox-migrate up has run
    };

    /// @throws std::runtime_error when the server cannot be reached or a migration fails.
    explicit TestDatabase(Start start = Start::migrated);
    TestDatabase(const TestDatabase&) = delete;
    TestDatabase& operator=(const TestDatabase&) = delete;
    ~TestDatabase();

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] postgres::ConnectOptions options() const { return server_options(name_); }

    /// DB_NAME and the others, for a child process.
    [[nodiscard]] std::map<std::string, std::string> environment() const;

    /// A new session.
    [[nodiscard]] postgres::Connection connect() const;

    /// Statements without parameters, or one with text parameters, in a session that is kept and gives up
    /// after 30 s. @return the last one's rows. @throws postgres::DatabaseError
    Rows query(const std::string& sql, const std::vector<std::string>& params = {});
    /// The first field of the first row. @throws std::runtime_error when there is none.
    std::string value(const std::string& sql, const std::vector<std::string>& params = {});
    std::int64_t number(const std::string& sql, const std::vector<std::string>& params = {});

    /// Runs build/bin/outbox-migrate with these words. @throws std::runtime_error unless it exits with 0.
    void migrate(const std::vector<std::string>& words);

private:
    void drop() noexcept;

    std::string name_;
    Handle<pg_conn, PQfinish> session_; ///< opened when first needed
};

/// One statement outside of any test's database.
void on_server(const std::string& sql);

/// The prefix and 32 hexadecimal digits that nobody else has.
std::string unique_name(const std::string& prefix);

/// Path of a program that was built with the tests.
std::string program(const std::string& name);

} // namespace outbox::support
