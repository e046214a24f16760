#pragma once

#include <outbox/core/handle.hpp>

#include <libpq-fe.h>

#include <functional>
#include <string>
#include <vector>

namespace example {

/// The consumer's own database: DB_HOST, DB_PORT, DB_USER, DB_PASSWORD, DB_NAME.
class Database {
public:
    /// @throws std::runtime_error when it does not answer.
    Database();

    /// One statement. @throws std::runtime_error
    void run(const std::string& sql, const std::vector<std::string>& params);
    /// Statements without parameters. @throws std::runtime_error
    void run(const std::string& sql);

    /// BEGIN, the work, COMMIT. Whoever gets an exception starts anew: the session may be in the middle of
    /// it.
    void transaction(const std::function<void()>& work);

    [[nodiscard]] PGconn* session() const noexcept { return session_.get(); }

private:
    outbox::Handle<PGconn, PQfinish> session_;
};

} // namespace example
