#pragma once

#include <outbox/support/database.hpp>

#include <map>
#include <string>

namespace outbox::support {

/// A login role of a test's own. Declare it before the database: that has to go first.
class Role {
public:
    explicit Role(const std::string& attributes = "");
    Role(const Role&) = delete;
    Role& operator=(const Role&) = delete;
    ~Role();

    [[nodiscard]] const std::string& name() const noexcept { return name_; }
    [[nodiscard]] const std::string& password() const noexcept { return password_; }
    /// DB_USER and DB_PASSWORD, for a child process.
    [[nodiscard]] std::map<std::string, std::string> variables() const;

private:
    std::string name_;
    std::string password_;
};

/// Runs deploy/postgres/roles.sql as its own first lines say. @throws std::runtime_error when it fails.
/// @param operate   the operator's role, if there is one
/// @param backfill  outbox-backfill's, if there is one
void grant_least(const TestDatabase& database, const Role& app, const Role& relay,
                 const Role* operate = nullptr, const Role* backfill = nullptr);

} // namespace outbox::support
