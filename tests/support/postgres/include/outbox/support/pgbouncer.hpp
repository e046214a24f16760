#pragma once

#include <outbox/support/database.hpp>
#include <outbox/support/process.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace outbox::support {

/// A PgBouncer of a test's own on loopback, in front of the server of DB_HOST and DB_PORT; it ends with this
/// object.
class PgBouncer {
public:
    /// @param mode      transaction or session
    /// @param sessions  with the server for each database, whatever the number of clients
    explicit PgBouncer(const std::string& mode = "transaction", int sessions = 2);
    PgBouncer(const PgBouncer&) = delete;
    PgBouncer& operator=(const PgBouncer&) = delete;
    ~PgBouncer();

    [[nodiscard]] const std::string& port() const noexcept { return port_; }
    /// DB_HOST and DB_PORT, for a child process.
    [[nodiscard]] std::map<std::string, std::string> variables() const;
    /// The same database through it.
    [[nodiscard]] postgres::ConnectOptions through(const TestDatabase& database) const;

private:
    void write_configuration(const std::string& mode, int sessions) const;
    [[nodiscard]] bool answers() const;

    std::filesystem::path folder_;
    std::string port_;
    std::optional<Process> process_;
};

} // namespace outbox::support
